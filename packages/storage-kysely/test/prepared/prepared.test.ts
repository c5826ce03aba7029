import { postgresUrl } from "@eventlog-server/testkit/databases"
import { makeRecord } from "@eventlog-server/testkit/schema"
import { Effect } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { type CompiledQuery, Kysely, PostgresDialect, type PostgresPoolClient, sql } from "kysely"
import { Pool } from "pg"
import { describe, expect, it, onTestFinished } from "vitest"
import { makeStatementNames } from "../../src/dialects/postgres/statementNames.ts"
import { databases } from "../databases/databases.ts"
import { openApp, openNode, openTables, preparedOn, storeId } from "./node.ts"

const away = databases.find(({ name }) => name === "postgres")?.away

describe.skipIf(away !== undefined)("prepared statements", () => {
  it("are those of appends, pages, heads, keys and leases", async () => {
    const { schema } = await openTables()
    const db = openApp({ max: 1 })
    const { append, feeds, findKeys, process, read } = openNode(db, schema)
    for (let round = 0; round < 10; round++) {
      await append()
      await read()
      await process()
      await findKeys(["a"])
      await feeds((feeds) => feeds.head(storeId))
    }
    const prepared = await preparedOn(db)
    const hot = prepared.filter(({ executions }) => executions >= 10)
    for (const part of [
      "insert into",
      "packed_bytes",
      "greatest_id",
      "where public_key",
      "set lease_holder = $1",
      "select lease_holder",
      "set processed",
      "set lease_holder = null"
    ]) {
      expect(
        hot.some(({ statement }) => statement.includes(part)),
        part
      ).toBe(true)
    }
  })

  it("are few, however calls differ", async () => {
    const { schema } = await openTables()
    const db = openApp({ max: 1 })
    const { append, feeds, findKeys, process, read } = openNode(db, schema)
    const records = Array.from({ length: 40 }, () => makeRecord())
    for (let round = 1; round <= 40; round++) {
      const stores = Array.from({ length: round }, (_, index) => EventLogMessage.StoreId.make(`store ${index}`))
      await append(storeId, round)
      await feeds((feeds) => feeds.append(storeId, records.slice(0, round)))
      await Promise.all(stores.map((store) => append(store)))
      await feeds((feeds) =>
        Effect.all(
          stores.map((store) => feeds.read(store, round, { maxEntries: round, maxBytes: round })),
          { concurrency: "unbounded" }
        )
      )
      await read(round)
      await findKeys(stores)
      await process()
    }
    const prepared = await preparedOn(db)
    expect(prepared.filter(({ executions }) => executions > 5).length).toBeGreaterThan(8)
    // Keys are looked for by 1, 2, 4, ... 64; a text that is executed often is prepared anew.
    expect(new Set(prepared.map(({ statement }) => statement)).size).toBeLessThan(25)
    expect(prepared.length).toBeLessThan(40)
  })

  it("have names for 32 texts, and four for each", () => {
    const nameOf = makeStatementNames()
    const names = new Set<string | undefined>()
    for (let execution = 0; execution < 5_000; execution++) {
      for (let text = 0; text < 40; text++) names.add(nameOf(`select ${text}`))
    }
    expect(names.delete(undefined)).toBe(true)
    expect(names.size).toBe(32 * 4)
    for (const name of names) expect(name?.length).toBeLessThan(64)
    expect(makeStatementNames()("select 1")).toBe(makeStatementNames()("select 1"))
  })

  it("are none where they aren't wanted", async () => {
    const { schema } = await openTables()
    const db = openApp({ max: 1 })
    const { append, process, read } = openNode(db, schema, false)
    await append()
    await read()
    await process()
    const { rows } = await sql`select name from pg_prepared_statements`.execute(db)
    expect(rows).toEqual([])
  })

  it("are strings to whom Kysely tells of them", async () => {
    const { schema } = await openTables()
    const queries: Array<CompiledQuery> = []
    const { append } = openNode(
      openApp({ max: 1 }, (query) => void queries.push(query)),
      schema
    )
    await append()
    const text = queries.map(({ sql }) => sql).find((sql) => sql.includes("insert into") && sql.includes("given"))
    expect(text?.trim().startsWith("with given")).toBe(true)
    expect(text?.length).toBe(`${text}`.length)
    expect(JSON.parse(JSON.stringify({ text }))).toEqual({ text: `${text}` })
    expect(text?.split(/\s+/)).toContain("materialized")
  })

  it("are left to drivers that know them", async () => {
    const { schema } = await openTables()
    const pool = new Pool({ connectionString: postgresUrl, max: 1 })
    const kinds: Array<string> = []
    /** Takes the text as nothing but a string. */
    const connect = async (): Promise<PostgresPoolClient> => {
      const client = await pool.connect()
      return {
        query: ((text: string, values: ReadonlyArray<unknown>) => {
          kinds.push(typeof text)
          if (typeof text !== "string") throw new TypeError("The text of a query must be a string")
          return client.query(text, [...values])
        }) as unknown as PostgresPoolClient["query"],
        release: () => client.release()
      }
    }
    const db = new Kysely<unknown>({
      dialect: new PostgresDialect({ pool: { connect, end: () => pool.end(), options: {} } })
    })
    onTestFinished(() => db.destroy())
    const { append, read, warnings } = openNode(db, schema)
    await append()
    await append()
    expect((await read()).head).toBe(2)
    expect(kinds.filter((kind) => kind !== "string").length).toBe(1)
    expect(warnings).toEqual([])
  })

  it("are left out for a log that takes nothing but strings", async () => {
    const { schema } = await openTables()
    const db = openApp({ max: 1 }, ({ sql }) => {
      if (typeof sql !== "string") throw new TypeError("A statement must be a string")
    })
    const { append, read, warnings } = openNode(db, schema)
    await append()
    expect((await read()).head).toBe(1)
    expect(await preparedOn(db)).toEqual([])
    expect(warnings).toEqual([])
  })

  it("are given up with one warning when the connection has lost them", async () => {
    const { schema } = await openTables()
    const db = openApp({ max: 1 })
    const { append, read, warnings } = openNode(db, schema)
    await append()
    await sql`deallocate all`.execute(db)
    await Promise.all([append(), read()])
    const prepared = await preparedOn(db)
    await append()
    expect((await read()).head).toBe(3)
    expect(await preparedOn(db)).toEqual(prepared)
    expect(warnings.length).toBe(1)
    expect(String(warnings[0])).toContain("preparedStatements: false")
  })

  it("survive a migration", async () => {
    const { admin, schema, table } = await openTables()
    const { append, process, read, warnings } = openNode(openApp({ max: 1 }), schema)
    await append()
    await process()
    await read()
    for (const name of ["entries", "stores", "keys", "identity"]) {
      await sql`alter table ${table(name)} add column added text`.execute(admin)
    }
    await append()
    await process()
    expect((await read()).head).toBe(2)
    expect(warnings).toEqual([])

    // Entries come packed, whatever the types of their columns.
    await sql`alter table ${table("entries")} alter column event type varchar`.execute(admin)
    await append()
    await process()
    expect((await read()).entries.length).toBe(3)
    expect(warnings).toEqual([])

    await sql`alter table ${table("stores")} alter column erased type integer`.execute(admin)
    await append()
    await process()
    expect((await read()).entries.length).toBe(4)
    expect(warnings.length).toBe(1)
  })
})
