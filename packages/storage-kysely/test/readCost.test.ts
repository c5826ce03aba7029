import { type BucketRange, FeedStore, type StorageError, type StoreErasedError } from "@eventlog-server/core"
import { Effect, Layer, ManagedRuntime } from "effect"
import { EventJournal, EventLogMessage } from "effect/eventlog"
import { type Kysely, sql } from "kysely"
import { describe, expect, it, onTestFinished } from "vitest"
import { kyselyBackend } from "../src/index.ts"
import { databases, type TestDatabase } from "./databases/databases.ts"

const storeId = EventLogMessage.StoreId.make("store")

const makeRecord = (primaryKey: string) => ({
  entry: new EventJournal.Entry(
    { id: EventJournal.makeEntryIdUnsafe(), event: "Noted", primaryKey, payload: new Uint8Array(100) },
    { disableChecks: true }
  ),
  author: null,
  transportOnly: false
})

/** How many rows and entries of indexes the database has read so far on this connection. */
type RowsRead = (db: Kysely<unknown>, schema: string | undefined) => Promise<number>

const rowsRead: Partial<Record<string, RowsRead>> = {
  mysql: async (db) => {
    const { rows } = await sql<{ readonly Value: string }>`show session status like 'Handler_read%'`.execute(db)
    return rows.reduce((sum, { Value }) => sum + Number(Value), 0)
  },
  postgres: async (db, schema) => {
    await sql`select pg_stat_force_next_flush()`.execute(db)
    const { rows } = await sql<{ readonly read: string }>`
      select (select sum(idx_tup_read) from pg_stat_user_indexes where schemaname = ${schema})
        + (select sum(seq_tup_read) from pg_stat_user_tables where schemaname = ${schema}) as read`.execute(db)
    return Number(rows[0]?.read)
  }
}

const setUp = ({ db, options }: TestDatabase<unknown>) => {
  const runtime = ManagedRuntime.make(Layer.fresh(kyselyBackend({ db, ...options }).layer))
  onTestFinished(() => runtime.dispose())
  const feeds = <A, E>(use: (feeds: FeedStore["Service"]) => Effect.Effect<A, E>) =>
    runtime.runPromise(FeedStore.use(use))
  let written = 0
  /** Writes two entries of each of so many primary keys. */
  const write = async (keys: number) => {
    const records = Array.from({ length: keys }, (_, index) => makeRecord(`key ${written + index}`))
    await feeds((feeds) => feeds.append(storeId, records))
    await feeds((feeds) =>
      feeds.append(
        storeId,
        records.map(({ entry }) => makeRecord(entry.primaryKey))
      )
    )
    written += keys
  }
  return { feeds, write }
}

const ranges = Array.from(
  { length: 300 },
  (_, index): BucketRange => ({
    events: ["Noted"],
    primaryKey: `key ${index}`,
    fromSequence: 1,
    toSequence: 1_000_000,
    afterId: new Uint8Array(16)
  })
)
const limits = { maxEntries: 1_000, maxBytes: 1_000_000 }

describe("a bucket that holds a long history itself", () => {
  for (const { away, name, open } of databases.filter(({ name }) => rowsRead[name] !== undefined)) {
    it.skipIf(away !== undefined)(`costs what is found of it: ${name}`, async () => {
      const database = await open(1)
      const { feeds } = setUp(database)
      const records = Array.from({ length: 2_000 }, () => makeRecord("key"))
      await feeds((feeds) => feeds.append(storeId, records))
      const afterId = records[1_994]?.entry.id
      const range = { events: ["Noted"], primaryKey: "key", fromSequence: 1, toSequence: 2_000 }
      const cost = async <A>(lookUp: (feeds: FeedStore["Service"]) => Effect.Effect<A, StorageError>) => {
        const before = await rowsRead[name]!(database.db, database.options.schema)
        await feeds(lookUp)
        return (await rowsRead[name]!(database.db, database.options.schema)) - before
      }
      const newest = { order: "newest", ...limits } as const
      expect(await cost((feeds) => feeds.bucket(storeId, [{ ...range, afterId }], newest))).toBeLessThan(50)
      expect(await cost((feeds) => feeds.bucket(storeId, [range], { ...newest, maxEntries: 1 }))).toBeLessThan(50)
      const last = { ...range, fromSequence: 1_995 }
      expect(await cost((feeds) => feeds.bucket(storeId, [last], { ...newest, order: "sequence" }))).toBeLessThan(50)
      expect(await cost((feeds) => feeds.bucketBounds(storeId, [range]))).toBeLessThan(50)
      expect(await cost((feeds) => feeds.greatestId(storeId))).toBeLessThan(10)
    })
  }
})

const lookUps: Record<
  string,
  (feeds: FeedStore["Service"]) => Effect.Effect<ReadonlyArray<unknown>, StorageError | StoreErasedError>
> = {
  "a bucket's entries in order": (feeds: FeedStore["Service"]) =>
    feeds.bucket(storeId, ranges, { order: "sequence", ...limits }),
  "a bucket's newest entries": (feeds: FeedStore["Service"]) =>
    feeds.bucket(storeId, ranges, { order: "newest", ...limits }),
  "a bucket's bounds": (feeds: FeedStore["Service"]) => feeds.bucketBounds(storeId, ranges),
  "a page": (feeds) => Effect.map(feeds.read(storeId, 500, { ...limits, maxEntries: 300 }), ({ entries }) => entries)
}

for (const { away, name, open } of databases.filter(({ name }) => rowsRead[name] !== undefined)) {
  describe.skipIf(away !== undefined)(`${name}${away === undefined ? "" : `: ${away}`}`, () => {
    it.each(Object.entries(lookUps))("%s in a long history costs what it holds", async (_, lookUp) => {
      const database = await open(1)
      const { feeds, write } = setUp(database)
      const cost = async () => {
        const before = await rowsRead[name]!(database.db, database.options.schema)
        const found = await feeds(lookUp)
        expect(found.length).toBe(300)
        return (await rowsRead[name]!(database.db, database.options.schema)) - before
      }
      await write(500)
      const short = await cost()
      for (let part = 0; part < 10; part++) await write(1_000)
      const long = await cost()
      // Two entries, or steps into an index, for each range, and what it takes to fetch them.
      expect(Math.max(short, long), `${short} and ${long}`).toBeLessThan(ranges.length * 12)
    })
  })
}
