import {
  FeedAdmin,
  FeedLostError,
  type FeedRecord,
  FeedStore,
  LeaseLostError,
  StoreErasedError,
  type StoreId,
  StoreProgress
} from "@eventlog-server/core/backend"
import { freshName } from "@eventlog-server/testkit/databases"
import { makeRecords } from "@eventlog-server/testkit/schema"
import { Effect, ManagedRuntime, Option } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { sql } from "kysely"
import { describe, expect, it, onTestFinished } from "vitest"
import { ensureSchema, kyselyBackend } from "../src/index.ts"
import { databases, type TestDatabase } from "./databases/databases.ts"
import { dropSchema, openPostgres } from "./databases/postgres.ts"

const storeIds = Array.from({ length: 40 }, (_, index) => EventLogMessage.StoreId.make(`store ${index}`))
const together = { concurrency: "unbounded" } as const
const limits = { maxEntries: 100, maxBytes: 100_000 }

const recordsOf = (count: number, payload = 10): ReadonlyArray<FeedRecord> =>
  makeRecords(count, { event: "Noted", primaryKey: `é"'\\`, payload, author: "device" })

const storesTable = ({ options: { schema } }: Pick<TestDatabase<unknown>, "options">) =>
  sql.table(schema === undefined ? "eventlog_stores" : `${schema}.eventlog_stores`)

/** Appends to all stores at once, the last record twice, and expects the sequences that follow `head`. */
const writeRound = Effect.fnUntraced(function* (
  feeds: FeedStore["Service"],
  records: ReadonlyMap<StoreId, ReadonlyArray<FeedRecord>>,
  head: (storeId: StoreId) => number
) {
  const slots = yield* Effect.forEach(
    records,
    ([storeId, records]) => feeds.append(storeId, [...records, ...records.slice(-1)]),
    together
  )
  for (const [index, [storeId, ofStore]] of Array.from(records).entries()) {
    const expected = ofStore.map((_, place) => ({ sequence: head(storeId) + place + 1, isNew: true }))
    expect(slots[index]).toEqual([...expected, { ...expected.at(-1), isNew: false }])
  }
})

for (const { away, name, open } of databases) {
  describe.skipIf(away !== undefined)(`many stores at once: ${name}${away === undefined ? "" : `: ${away}`}`, () => {
    const setUp = async () => {
      const database = await open<unknown>(10)
      const { layer } = kyselyBackend({ db: database.db, ...database.options })
      const run = <A, E>(effect: Effect.Effect<A, E, FeedStore | FeedAdmin | StoreProgress>) =>
        Effect.runPromise(Effect.provide(effect, layer))
      return { ...database, run }
    }

    it("each gets its own entries, in order, and repeats are found", async () => {
      const { run } = await setUp()
      await run(
        Effect.gen(function* () {
          const feeds = yield* FeedStore
          // Some go alone for what they weigh.
          const round = () =>
            new Map(
              storeIds.map((storeId, index) => [storeId, recordsOf(1 + (index % 4), index % 9 === 0 ? 200_000 : 10)])
            )
          const first = round()
          const second = round()
          yield* writeRound(feeds, first, () => 0)
          yield* writeRound(feeds, second, (storeId) => first.get(storeId)!.length)
          const again = yield* Effect.forEach(second, ([storeId, records]) => feeds.append(storeId, records), together)
          for (const [index, records] of Array.from(second.values()).entries()) {
            expect(again[index]).toEqual(
              records.map((_, place) => ({ sequence: records.length + place + 1, isNew: false }))
            )
          }
        })
      )
    })

    it("each page is what it is alone", async () => {
      const { run } = await setUp()
      await run(
        Effect.gen(function* () {
          const feeds = yield* FeedStore
          const records = new Map(
            storeIds.map((storeId, index) => [storeId, recordsOf(1 + (index % 7), index % 3 === 0 ? 30_000 : 10)])
          )
          yield* writeRound(feeds, records, () => 0)
          const asked = [...storeIds, EventLogMessage.StoreId.make("nobody's")].map((storeId, index) => ({
            storeId,
            from: 1 + (index % 5),
            limits: { maxEntries: 1 + (index % 6), maxBytes: 100_000 }
          }))
          const read = ({ from, limits, storeId }: (typeof asked)[number]) => feeds.read(storeId, from, limits)
          const pages = yield* Effect.forEach(asked, read, together)
          expect(pages).toEqual(yield* Effect.forEach(asked, read))
          expect(pages.at(-1)).toEqual({ entries: [], head: 0 })
          for (const [index, [storeId, ofStore]] of Array.from(records).entries()) {
            const ids = ofStore.slice(index % 5).map(({ entry }) => entry.idString)
            const found = pages[index]!.entries.map(({ entry }) => entry.idString)
            expect(found, storeId).toEqual(ids.slice(0, found.length))
            expect(found.length > 0, storeId).toBe(ids.length > 0)
            expect(pages[index]!.head).toBe(ofStore.length)
          }
        })
      )
    })

    it("each head is its own", async () => {
      const { run } = await setUp()
      await run(
        Effect.gen(function* () {
          const feeds = yield* FeedStore
          const records = new Map(storeIds.map((storeId, index) => [storeId, recordsOf(1 + (index % 3))]))
          yield* writeRound(feeds, records, () => 0)
          const asked = [...storeIds, EventLogMessage.StoreId.make("nobody's")]
          const heads = yield* Effect.forEach(asked, feeds.head, together)
          expect(heads).toEqual([
            ...Array.from(records.values(), (ofStore) => ({
              sequence: ofStore.length,
              greatestId: ofStore
                .map(({ entry }) => entry.id)
                .toSorted(Buffer.compare)
                .at(-1)
            })),
            { sequence: 0, greatestId: undefined }
          ])
        })
      )
    })

    it("one that was erased fails alone", async () => {
      const { run } = await setUp()
      await run(
        Effect.gen(function* () {
          const feeds = yield* FeedStore
          const erased = storeIds[7]!
          const write = Effect.forEach(
            storeIds,
            (storeId) => Effect.result(feeds.append(storeId, recordsOf(1))),
            together
          )
          yield* write
          yield* (yield* FeedAdmin).erase(erased)
          const read = Effect.forEach(storeIds, (storeId) => Effect.result(feeds.read(storeId, 1, limits)), together)
          const look = Effect.forEach(storeIds, (storeId) => Effect.result(feeds.head(storeId)), together)
          for (const results of [yield* write, yield* read, yield* look]) {
            for (const [index, result] of results.entries()) {
              expect(result._tag === "Failure").toBe(storeIds[index] === erased)
              if (result._tag === "Failure") expect(result.failure).toBeInstanceOf(StoreErasedError)
            }
          }
        })
      )
    })

    it("each cursor is moved by whoever holds the lease, to an entry that is there, and by nobody else", async () => {
      const { db, options, run } = await setUp()
      await run(
        Effect.scoped(
          Effect.gen(function* () {
            const [feeds, progress] = [yield* FeedStore, yield* StoreProgress]
            const records = new Map(storeIds.map((storeId, index) => [storeId, recordsOf(index + 1)]))
            yield* writeRound(feeds, records, () => 0)
            const entryAt = (storeId: StoreId, sequence: number) => ({
              sequence,
              id: records.get(storeId)![sequence - 1]!.entry.id
            })
            const leases = yield* Effect.forEach(storeIds, (storeId) =>
              Effect.map(progress.lease(storeId), Option.getOrThrow)
            )
            const [lost, gone] = [storeIds[5]!, storeIds[9]!]
            records.set(gone, recordsOf(10))
            yield* Effect.promise(() =>
              sql`update ${storesTable({ options })} set lease_holder = 'somebody' where store_id = ${lost}`.execute(db)
            )
            const move = (sequence: (index: number) => number) =>
              Effect.forEach(
                leases,
                ({ advance }, index) => Effect.result(advance(entryAt(storeIds[index]!, sequence(index)))),
                together
              )
            for (const [index, result] of (yield* move((index) => index + 1)).entries()) {
              const failure = new Map<StoreId, unknown>([
                [lost, LeaseLostError],
                [gone, FeedLostError]
              ]).get(storeIds[index]!)
              expect(result._tag === "Failure" ? result.failure.constructor : undefined).toBe(failure)
            }
            // A cursor is never moved back.
            yield* move(() => 1)
            expect(yield* progress.cursors(storeIds)).toEqual(
              storeIds.map((storeId, index) => (storeId === lost || storeId === gone ? 0 : index + 1))
            )
          })
        )
      )
    })
  })
}

const postgres = databases.find(({ name }) => name === "postgres")!

describe.skipIf(postgres.away !== undefined)("many stores at once on PostgreSQL", () => {
  it("take few statements", async () => {
    let statements = 0
    const db = openPostgres({ max: 4 }, () => statements++)
    const options = { dialect: "postgres", schema: freshName() } as const
    onTestFinished(() => dropSchema(db, options.schema).finally(() => db.destroy()))
    await ensureSchema(db, options)
    const cost = async (effect: Effect.Effect<unknown, unknown, FeedStore>) => {
      statements = 0
      await runtime.runPromise(effect)
      return statements
    }
    // One layer for all of them, which looks for changes only while somebody listens.
    const runtime = ManagedRuntime.make(kyselyBackend({ db, ...options }).layer)
    onTestFinished(() => runtime.dispose())
    const write = FeedStore.use((feeds) =>
      Effect.forEach(storeIds, (storeId) => feeds.append(storeId, recordsOf(2)), together)
    )
    // The first makes the stores' rows, and finds out whether statements can be prepared.
    await cost(write)
    expect(await cost(write)).toBe(1)
    const read = FeedStore.use((feeds) =>
      Effect.forEach(storeIds, (storeId) => feeds.read(storeId, 1, limits), together)
    )
    // 16, 16 and 8 pages.
    expect(await cost(read)).toBe(3)
    const readUnwritten = FeedStore.use((feeds) =>
      Effect.forEach(
        storeIds.slice(0, 16),
        (storeId) => feeds.read(EventLogMessage.StoreId.make(`no ${storeId}`), 1, limits),
        together
      )
    )
    expect(await cost(readUnwritten)).toBe(1)
    expect(await cost(FeedStore.use((feeds) => Effect.forEach(storeIds, feeds.head, together)))).toBe(1)
  })

  it("don't wait for one whose row somebody holds", async () => {
    const database = await postgres.open<unknown>(4)
    const { layer } = kyselyBackend({ db: database.db, ...database.options })
    const [held, ...others] = storeIds as [StoreId, ...Array<StoreId>]
    const transaction = await database.openAnother().startTransaction().execute()
    await Effect.runPromise(
      Effect.gen(function* () {
        const feeds = yield* FeedStore
        const append = (storeId: StoreId) => feeds.append(storeId, recordsOf(1))
        yield* Effect.forEach(storeIds, append, together)
        yield* Effect.promise(() =>
          sql`update ${storesTable(database)} set head = head where store_id = ${held}`.execute(transaction)
        )
        let isDone = false
        const rest = Effect.forEach(others, append, together)
        const waiting = Effect.tap(append(held), () => {
          isDone = true
          return Effect.void
        })
        const [[slot]] = yield* Effect.all(
          [
            waiting,
            Effect.tap(rest, (slots) => {
              expect(slots.flat().map(({ sequence }) => sequence)).toEqual(others.map(() => 2))
              expect(isDone).toBe(false)
              return Effect.promise(() => transaction.commit().execute())
            })
          ],
          together
        )
        expect(slot).toEqual({ sequence: 2, isNew: true })
      }).pipe(Effect.provide(layer))
    )
  })
})
