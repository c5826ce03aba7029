import { allowAll, createEventLogServer } from "@eventlog-server/core"
import { type Kysely, sql, type Transaction } from "kysely"
import { describe, expect, it, onTestFinished } from "vitest"
import { dialects } from "../src/dialects/dialects.ts"
import { kyselyBackend } from "../src/index.ts"
import { databases, type TestDatabase } from "./databases/databases.ts"
import { type Notes, type NotesDatabase, schema, silent } from "./notes.ts"

const mysql = databases.find(({ name }) => name === "mysql")

const settingsOf = async (db: Kysely<NotesDatabase>) => {
  const { rows } =
    await sql`select @@session.innodb_lock_wait_timeout as innodb, @@session.lock_wait_timeout as metadata,
    @@session.wait_timeout as idle`.execute(db)
  return rows[0]
}

/** A server with one connection, whose handler is told what `note` finds in its transaction. */
const startServer = (
  { db, options }: TestDatabase<NotesDatabase>,
  note: (transaction: Transaction<NotesDatabase>, text: string) => Promise<void>
) => {
  const server = createEventLogServer<typeof Notes, Transaction<NotesDatabase>>({
    schema,
    handlers: { Noted: ({ payload, transaction }) => note(transaction, payload.text) },
    backend: kyselyBackend({ db, ...options, transactionalHandlers: true }),
    auth: allowAll,
    logger: silent
  })
  onTestFinished(() => server.close())
  const write = async (text: string) => {
    const { sequenceNumbers } = await server.write({ storeId: "notes", event: "Noted", payload: { key: "k", text } })
    await server.processed({ storeId: "notes", sequence: sequenceNumbers[0] ?? 0 })
  }
  return { write }
}

describe.skipIf(mysql === undefined || mysql.away !== undefined)("MariaDB", () => {
  const open = <DB>(connections?: number) => mysql!.open<DB>(connections)

  it("tells the time of the lease in UTC, whatever the session's time zone is", async () => {
    const { db } = await open()
    const hours = await db.connection().execute(async (connection) => {
      const found: Array<number> = []
      for (const zone of ["+00:00", "+09:30", "-11:00"]) {
        await sql`set time_zone = ${zone}`.execute(connection)
        const { rows } = await sql<{ readonly now: number }>`select ${dialects.mysql.now} as now`.execute(connection)
        found.push(Math.round(Math.abs(Number(rows[0]?.now) - Date.now()) / 3_600_000))
      }
      return found
    })
    expect(hours).toEqual([0, 0, 0])
  })

  it.each(["one", "bad"])("gives a connection back as it was, after a handler of %s", async (text) => {
    const database = await open<NotesDatabase>(1)
    const before = await settingsOf(database.db)
    let inside: unknown
    const { write } = startServer(database, async (transaction, text) => {
      inside = await settingsOf(transaction)
      if (text === "bad") throw new Error("refused")
    })
    await write(text)
    expect(inside).toEqual({ innodb: 15, metadata: 15, idle: 30 })
    expect(await settingsOf(database.db)).toEqual(before)
  })
})
