import { allowAll, createEventLogServer } from "@eventlog-server/core"
import { FeedStore } from "@eventlog-server/core/backend"
import { type AddedTodos, addedSchema, makeRecord, silent } from "@eventlog-server/testkit/schema"
import { Effect } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { type Kysely, sql, type Transaction } from "kysely"
import { describe, expect, it, onTestFinished } from "vitest"
import { dialects } from "../src/dialects/dialects.ts"
import { kyselyBackend } from "../src/index.ts"
import { databases, type TestDatabase } from "./databases/databases.ts"
import type { NotesDatabase } from "./notes.ts"

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
  const server = createEventLogServer<typeof AddedTodos, Transaction<NotesDatabase>>({
    schema: addedSchema,
    handlers: { TodoAdded: ({ payload, transaction }) => note(transaction, payload.text) },
    backend: kyselyBackend({ db, ...options, transactionalHandlers: true }),
    auth: allowAll,
    logger: silent
  })
  onTestFinished(() => server.close())
  const write = async (text: string) => {
    const { sequenceNumbers } = await server.write({ storeId: "notes", event: "TodoAdded", payload: { id: "k", text } })
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

  it("keeps no store waiting for the append of another one", async () => {
    const { db, options } = await open()
    const { layer } = kyselyBackend({ db, ...options })
    const append = async (store: string) => {
      const storeId = EventLogMessage.StoreId.make(store)
      const slots = await Effect.runPromise(
        FeedStore.use((feeds) => feeds.append(storeId, [makeRecord()])).pipe(Effect.provide(layer))
      )
      return slots.map(({ sequence }) => sequence)
    }
    // InnoDB shows what it showed before to those who ask within a tenth of a second.
    const untilWaiting = () =>
      expect.poll(
        async () => {
          const { rows } = await sql`select trx_id from information_schema.innodb_trx
          join information_schema.processlist on id = trx_mysql_thread_id
          where trx_state = 'LOCK WAIT' and db = database()`.execute(db)
          return rows.length
        },
        { interval: 300 }
      )

    expect(await append("one")).toEqual([1])
    const intruder = await db.startTransaction().setIsolationLevel("read committed").execute()
    await sql`insert into eventlog_entries (store, sequence, entry_id, bucket, event, primary_key, transport_only, bytes, payload)
      select store, 2, unhex(repeat('00', 16)), bucket, event, primary_key, transport_only, bytes, payload from eventlog_entries`.execute(
      intruder
    )
    const waiting = append("one")
    await untilWaiting().toBe(1)
    expect(await append("another")).toEqual([1])
    await intruder.rollback().execute()
    expect(await waiting).toEqual([2])
  })
})
