import { allowAll, createEventLogServer } from "@eventlog-server/core"
import { freePort } from "@eventlog-server/testkit/network"
import { schema } from "@eventlog-server/testkit/schema"
import { type Kysely, sql } from "kysely"
import { describe, expect, it, onTestFinished } from "vitest"
import { type DialectName, kyselyBackend, type TableOptions } from "../src/index.ts"
import { databases } from "./databases/databases.ts"
import { openPostgres } from "./databases/postgres.ts"

const makeServer = (db: Kysely<unknown>, options: TableOptions & { readonly dialect: DialectName }) => {
  const server = createEventLogServer({
    schema,
    handlers: { TodoAdded: () => {}, TodoToggled: () => {} },
    backend: kyselyBackend({ db, ...options }),
    auth: allowAll,
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  })
  onTestFinished(() => server.close())
  return server
}

const names: Readonly<Record<DialectName, string>> = {
  mysql: "MySQL or MariaDB",
  pglite: "PGlite",
  postgres: "PostgreSQL",
  sqlite: "SQLite"
}

for (const { away, name, open } of databases) {
  describe.skipIf(away !== undefined)(`${name}${away === undefined ? "" : `: ${away}`}`, () => {
    const table = (base: string, { prefix = "eventlog_", schema }: TableOptions) =>
      schema === undefined ? sql.id(prefix + base) : sql.id(schema, prefix + base)

    it("is ready where the tables are", async () => {
      const { db, options } = await open()
      const server = makeServer(db, options)
      await server.ready()
      expect(await server.health()).toEqual({ status: "ok" })
    })

    it("says that the tables are missing, and how they are made", async () => {
      const { db, options } = await open()
      const server = makeServer(db, { ...options, prefix: "nowhere_" })
      const ready = server.ready()
      await expect(ready).rejects.toMatchObject({ _tag: "StorageError", retryable: false })
      await expect(ready).rejects.toThrow(/nowhere_stores.*Run ensureSchema/s)
    })

    it("says that a table or a column is missing, as after an update", async () => {
      const { db, options } = await open()
      const server = makeServer(db, options)
      await sql`alter table ${table("identity", options)} drop column access_changes`.execute(db)
      await expect(server.ready()).rejects.toThrow(/access_changes.*Run ensureSchema/s)
      await sql`drop table ${table("failures", options)}`.execute(db)
      await expect(server.ready()).rejects.toThrow(/eventlog_failures.*Run ensureSchema/s)
    })

    it("says that the row of the identity is missing", async () => {
      const { db, options } = await open()
      const server = makeServer(db, options)
      await sql`delete from ${table("identity", options)}`.execute(db)
      expect(await server.health()).toMatchObject({
        status: "unavailable",
        error: { message: expect.stringContaining("the migrations didn't run") }
      })
    })

    const others = (Object.keys(names) as ReadonlyArray<DialectName>).filter((other) => other !== name)

    it.each(others)("says that it isn't %s", async (dialect) => {
      const { db, options } = await open()
      const ready = makeServer(db, { ...options, dialect }).ready()
      await expect(ready).rejects.toMatchObject({ _tag: "StorageError", retryable: false })
      await expect(ready).rejects.toThrow(`The Kysely instance isn't one for ${names[dialect]}: give kyselyBackend`)
    })
  })
}

it("says that PostgreSQL refuses connections, and that it lets in nobody of that name", async () => {
  const db = openPostgres({ connectionString: `postgres://postgres@localhost:${await freePort()}/test` })
  onTestFinished(() => db.destroy())
  const server = makeServer(db, { dialect: "postgres" })
  const ready = server.ready()
  await expect(ready).rejects.toMatchObject({ _tag: "StorageError", retryable: true })
  await expect(ready).rejects.toThrow(/ECONNREFUSED.*See whether the database is running/s)
  expect(await server.health()).toMatchObject({ status: "unavailable", error: { retryable: true } })
})

describe.skipIf(databases[0]?.away !== undefined)("postgres", () => {
  it("says that there is no such database", async () => {
    const db = openPostgres({ database: "nowhere", connectionString: undefined, host: "127.0.0.1", user: "postgres" })
    onTestFinished(() => db.destroy())
    await expect(makeServer(db, { dialect: "postgres" }).ready()).rejects.toThrow(
      /database "nowhere" does not exist.*has the right address, user and database/s
    )
  })
})
