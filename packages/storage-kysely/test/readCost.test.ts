import {
  type BucketRange,
  type FeedLostError,
  FeedStore,
  type StorageError,
  type StoreErasedError,
  type SurvivingEvents
} from "@eventlog-server/core/backend"
import { makeRecord } from "@eventlog-server/testkit/schema"
import { Effect, Layer, ManagedRuntime, Stream } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { type Kysely, sql } from "kysely"
import { describe, expect, it, onTestFinished } from "vitest"
import { kyselyBackend } from "../src/index.ts"
import { databases, type TestDatabase } from "./databases/databases.ts"

const storeId = EventLogMessage.StoreId.make("store")

const recordOf = (primaryKey: string) => makeRecord({ event: "Noted", primaryKey, payload: 100 })

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
    const records = Array.from({ length: keys }, (_, index) => recordOf(`key ${written + index}`))
    await feeds((feeds) => feeds.append(storeId, records))
    await feeds((feeds) =>
      feeds.append(
        storeId,
        records.map(({ entry }) => recordOf(entry.primaryKey))
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

/** No id is greater. */
const anyId = new Uint8Array(16).fill(0xff)

describe("a bucket that holds a long history itself", () => {
  for (const { away, name, open } of databases.filter(({ name }) => rowsRead[name] !== undefined)) {
    it.skipIf(away !== undefined)(`costs what is found of it: ${name}`, async () => {
      const database = await open(1)
      const { feeds } = setUp(database)
      const records = Array.from({ length: 2_000 }, () => recordOf("key"))
      await feeds((feeds) => feeds.append(storeId, records))
      const afterId = records[1_994]?.entry.id
      const range = { events: ["Noted"], primaryKey: "key", fromSequence: 1, toSequence: 2_000 }
      const cost = async <A>(
        lookUp: (feeds: FeedStore["Service"]) => Effect.Effect<A, StorageError | StoreErasedError>
      ) => {
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
      expect(await cost((feeds) => feeds.head(storeId))).toBeLessThan(10)
    })
  }
})

const lookUps: Record<
  string,
  (
    feeds: FeedStore["Service"]
  ) => Effect.Effect<ReadonlyArray<unknown>, StorageError | StoreErasedError | FeedLostError>
> = {
  "a bucket's entries in order": (feeds: FeedStore["Service"]) =>
    feeds.bucket(storeId, ranges, { order: "sequence", ...limits }),
  "a bucket's newest entries": (feeds: FeedStore["Service"]) =>
    feeds.bucket(storeId, ranges, { order: "newest", ...limits }),
  "a bucket's bounds": (feeds: FeedStore["Service"]) => feeds.bucketBounds(storeId, ranges),
  "a page": (feeds) => Effect.map(feeds.read(storeId, 500, { ...limits, maxEntries: 300 }), ({ entries }) => entries)
}

/**
 * Rows that are read for each primary key that survives: the end of its bucket, by ids one more, and what is sent. Beside them
 * the store's row, its first entry, and where steps end: on MySQL those in each of up to 63 spans, and an end is a step into
 * the index and a row.
 */
const survivorRows: Record<string, Record<SurvivingEvents["by"] | "beside", number>> = {
  postgres: { sequence: 2, id: 3, beside: 3 },
  mysql: { sequence: 3, id: 4, beside: 70 }
}

describe("the survivors of a beginning", () => {
  const keys = 100
  for (const { away, name, open } of databases.filter(({ name }) => rowsRead[name] !== undefined)) {
    it.skipIf(away !== undefined)(`cost what survives, however long the history: ${name}`, async () => {
      const database = await open(1)
      const { feeds } = setUp(database)
      const write = async (id: EventLogMessage.StoreId) => {
        const records = Array.from({ length: keys }, (_, index) => recordOf(`key ${index}`))
        await feeds((feeds) => feeds.append(id, records))
        return records[keys - 1]!.entry.id
      }
      const cost = async (by: SurvivingEvents["by"], toId: Uint8Array) => {
        const request = { groups: [{ events: ["Noted"], by }], toSequence: 1_000_000, toId, limits }
        const before = await rowsRead[name]!(database.db, database.options.schema)
        const found = await feeds((feeds) =>
          Effect.flatMap(feeds.survivors(storeId, request), ({ pages }) => Stream.runCollect(pages))
        )
        expect(found.flat()).toHaveLength(keys)
        return (await rowsRead[name]!(database.db, database.options.schema)) - before - keys * survivorRows[name]![by]
      }
      // Others are before and behind it in the indexes.
      for (const id of ["another", "store", "third"]) await write(EventLogMessage.StoreId.make(id))
      const costs = [await cost("sequence", anyId), await cost("id", anyId)]
      for (let round = 0; round < 59; round++) await write(storeId)
      const lastOld = await write(storeId)
      costs.push(await cost("sequence", anyId), await cost("id", anyId))
      const { beside } = survivorRows[name]!
      expect(Math.max(...costs), costs.join(", ")).toBeLessThanOrEqual(beside)
      // Where all buckets have younger entries, those are looked at, and each end once more.
      for (let round = 0; round < 2; round++) await write(storeId)
      const younger = [await cost("sequence", lastOld), await cost("id", lastOld)]
      expect(Math.max(...younger), younger.join(", ")).toBeLessThanOrEqual(3 * keys + beside)
    })
  }
})

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
