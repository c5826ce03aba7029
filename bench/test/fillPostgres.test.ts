import { FeedStore } from "@eventlog-server/core/backend"
import { Todos } from "@eventlog-server/example-todo/schema"
import { ensureSchema, kyselyBackend } from "@eventlog-server/storage-kysely"
import { createPostgresDatabase, postgresMissing } from "@eventlog-server/testkit/databases"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { type Effect, Layer, ManagedRuntime, Schema } from "effect"
import { EventJournal, EventLogMessage } from "effect/eventlog"
import { Kysely, PostgresDialect } from "kysely"
import pg from "pg"
import { expect, it, onTestFinished } from "vitest"
import { fillPostgres } from "../src/contenders/fillPostgres.ts"

const { payloadSchemaBinary } = Todos.events.TodoAdded!
const limits = { maxEntries: 10, maxBytes: 10_000 }

const setUp = async () => {
  const { drop, rows, url } = await createPostgresDatabase()
  const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }) })
  await ensureSchema(db, { dialect: "postgres" })
  const runtime = ManagedRuntime.make(Layer.fresh(kyselyBackend({ db, dialect: "postgres" }).layer))
  onTestFinished(async () => {
    await runtime.dispose()
    await db.destroy()
    await drop()
  })
  const feeds = <A, E>(use: (feeds: FeedStore["Service"]) => Effect.Effect<A, E>) =>
    runtime.runPromise(FeedStore.use(use))
  return { feeds, rows, url }
}

describeUnless(await postgresMissing())("fillPostgres", () => {
  it("leaves in the tables what the server would have written", async () => {
    const { feeds, rows, url } = await setUp()
    await fillPostgres(url, { storeId: "filled", entries: 5, keys: 2, devices: 3 })

    const { entries, head } = await feeds((feeds) => feeds.read(EventLogMessage.StoreId.make("filled"), 1, limits))
    expect(head).toBe(5)
    expect(entries.map(({ remoteSequence }) => remoteSequence)).toEqual([1, 2, 3, 4, 5])
    const ids = entries.map(({ entry }) => Buffer.from(entry.id).toString("hex"))
    expect(ids).toEqual([...new Set(ids)].sort())
    for (const { entry } of entries) {
      const payload = Schema.decodeSync(payloadSchemaBinary)(Uint8Array.from(entry.payload))
      expect(payload).toEqual({ id: entry.primaryKey, text: expect.any(String) })
    }

    const written = EventLogMessage.StoreId.make("written")
    const copies = entries.map(({ author, entry, transportOnly }) => ({
      ...{ author, transportOnly },
      entry: new EventJournal.Entry({ ...entry, id: EventJournal.makeEntryIdUnsafe() }, { disableChecks: true })
    }))
    await feeds((feeds) => feeds.append(written, copies))
    const rowsOf = (storeId: string) =>
      rows(`
        select sequence, bucket, event, primary_key, author, transport_only, bytes, payload from eventlog_entries
        where store = (select id from eventlog_stores where store_id = '${storeId}') order by sequence`)
    expect(await rowsOf("filled")).toEqual(await rowsOf("written"))
    expect(await rows("select count(*)::integer as count from eventlog_keys where store_id = 'filled'")).toEqual([
      { count: 3 }
    ])
  })
})
