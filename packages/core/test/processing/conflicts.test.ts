import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import * as fc from "fast-check"
import { expect } from "vitest"
import type { FeedEntry, FeedRecord, FeedStore } from "../../src/backend/FeedStore.ts"
import { makeFeedStore } from "../../src/memory/feedStore.ts"
import { makeFeedState } from "../../src/memory/MemoryState.ts"
import { conflictsOf, PassedIds } from "../../src/processing/conflicts.ts"
import { entryBytes } from "../../src/wire/fields.ts"
import { freshStoreId, scaled } from "./harness.ts"

interface Step {
  readonly event: string
  readonly primaryKey: string
  /** Where the id comes among the others. */
  readonly rank: number
  readonly transportOnly: boolean
}

const step = fc.record({
  event: fc.constantFrom("Set", "Cleared", "Unhandled"),
  primaryKey: fc.constantFrom("a", "b", "c"),
  rank: fc.nat(40),
  transportOnly: fc.boolean()
})

const recordOf = ({ rank, transportOnly, ...step }: Step): FeedRecord => ({
  entry: new EventJournal.Entry(
    { ...step, id: EventJournal.makeEntryIdUnsafe({ msecs: 1_000 + rank }), payload: new Uint8Array(0) },
    { disableChecks: true }
  ),
  author: null,
  transportOnly
})

const isHandled = (event: string) => event !== "Unhandled"

/** The definition, entry by entry, over the whole feed. */
const naive = (feed: ReadonlyArray<FeedEntry>, of: FeedEntry, maxConflicts: number): ReadonlyArray<string> =>
  of.transportOnly || !isHandled(of.entry.event)
    ? []
    : feed
        .filter(
          ({ entry, remoteSequence, transportOnly }) =>
            !transportOnly &&
            entry.event === of.entry.event &&
            entry.primaryKey === of.entry.primaryKey &&
            remoteSequence < of.remoteSequence &&
            EventJournal.EntryIdOrder(entry.id, of.entry.id) > 0
        )
        .map(({ entry }) => entry)
        .sort(EventJournal.Entry.Order)
        .slice(maxConflicts === 0 ? Number.POSITIVE_INFINITY : -maxConflicts)
        .map(({ idString }) => idString)

const limits = (maxEntries: number) => ({ maxEntries, maxBytes: 1_000_000 })

interface Paging {
  readonly pageSize: number
  readonly maxConflicts: number
  readonly maxBytes?: number
  /** Behind which it begins. */
  readonly cursor?: number
}

/** Reads on, page by page and part by part, whenever it is asked to. */
const pageThrough = Effect.fnUntraced(function* (
  feeds: FeedStore["Service"],
  { cursor = 0, maxBytes = 1_000_000, maxConflicts, pageSize }: Paging
) {
  const storeId = freshStoreId()
  const ids = new PassedIds(feeds, storeId, cursor)
  const found: Array<ReadonlyArray<string>> = []
  return {
    storeId,
    read: Effect.gen(function* () {
      while (true) {
        const { entries } = yield* feeds.read(storeId, cursor + found.length + 1, limits(pageSize))
        if (entries.length === 0) return found
        const greatestBelow = yield* ids.greatest
        let maxRanges = Number.POSITIVE_INFINITY
        for (let from = 0; from < entries.length; ) {
          const options = { from, maxBytes, maxRanges, maxConflicts, greatestBelow, isHandled }
          const { conflicts, ranges } = yield* conflictsOf(feeds, storeId, entries, options)
          expect(conflicts.length).toBeGreaterThan(0)
          found.push(...conflicts.map((ofEntry) => ofEntry.map(({ idString }) => idString)))
          from += conflicts.length
          maxRanges = 2 * ranges
        }
        ids.pass(entries)
      }
    })
  }
})

describe("conflicts", () => {
  it.effect("are the replayable entries of the bucket, earlier in the feed and later by id", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 40, size: "max" }),
          fc.integer({ min: 1, max: 10 }),
          fc.nat(6),
          fc.integer({ min: 1, max: 40 }),
          // An entry weighs four bytes or more.
          fc.integer({ min: 1, max: 60 }),
          fc.nat(10),
          (steps, pageSize, maxConflicts, appendSize, maxBytes, cursor) =>
            Effect.runPromise(
              Effect.gen(function* () {
                const feeds = makeFeedStore(makeFeedState())
                const { read, storeId } = yield* pageThrough(feeds, { pageSize, maxConflicts, maxBytes, cursor })
                for (let from = 0; from < steps.length; from += appendSize) {
                  yield* feeds.append(storeId, steps.slice(from, from + appendSize).map(recordOf))
                  yield* read
                }
                const { entries } = yield* feeds.read(storeId, 1, limits(1_000))
                expect(yield* read).toEqual(entries.slice(cursor).map((entry) => naive(entries, entry, maxConflicts)))
              })
            )
        ),
        { numRuns: scaled(300, 10_000) }
      )
    )
  )

  it.effect("are held a part of a page at a time where they are more than may be held", () =>
    Effect.gen(function* () {
      const feeds = makeFeedStore(makeFeedState())
      const held: Array<number> = []
      const asked: Array<number> = []
      const counting: FeedStore["Service"] = {
        ...feeds,
        bucket: (storeId, ranges, selection) =>
          Effect.tap(feeds.bucket(storeId, ranges, selection), (found) =>
            Effect.sync(() => {
              asked.push(ranges.length)
              held.push(found.flat().reduce((sum, { entry }) => sum + entryBytes(entry), 0))
            })
          )
      }
      const keys = Array.from({ length: 100 }, (_, index) => `key ${100 + index}`)
      const stepsOf = (rank: number) =>
        keys.map((primaryKey) => ({ event: "Set", primaryKey, rank, transportOnly: false }))
      const { read, storeId } = yield* pageThrough(counting, { pageSize: 100, maxConflicts: 5, maxBytes: 100 })
      yield* feeds.append(storeId, stepsOf(2).map(recordOf))
      yield* feeds.append(storeId, stepsOf(1).map(recordOf))
      const found = yield* read
      expect(found.slice(100).map((conflicts) => conflicts.length)).toEqual(keys.map(() => 1))
      // Each weighs ten bytes.
      expect(held).toEqual(Array.from({ length: 10 }, () => 100))
      expect(asked).toEqual([100, 20, 20, 20, 20, 20, 20, 20, 20, 10])
    })
  )

  /** Counts how many pairs of an event and a primary key each query asks for. */
  const countAsked = (feeds: FeedStore["Service"]) => {
    const asked: Array<number> = []
    const counting: FeedStore["Service"] = {
      ...feeds,
      bucket: (storeId, ranges, selection) => {
        asked.push(ranges.length)
        return feeds.bucket(storeId, ranges, selection)
      }
    }
    return { asked, counting }
  }

  it.effect("are asked for once a page by who begins in the middle, and never by who begins with the feed", () =>
    Effect.gen(function* () {
      const steps = Array.from({ length: 40 }, (_, rank) => ({
        event: rank % 2 === 0 ? "Set" : "Cleared",
        primaryKey: String(rank % 5),
        rank,
        transportOnly: false
      }))
      for (const [cursor, queries] of [
        [10, 3],
        [0, 0]
      ] as const) {
        const { asked, counting } = countAsked(makeFeedStore(makeFeedState()))
        const { read, storeId } = yield* pageThrough(counting, { pageSize: 10, maxConflicts: 5, cursor })
        yield* counting.append(storeId, steps.map(recordOf))
        yield* read
        expect(asked.length).toBe(queries)
      }
    })
  )

  it.effect("are not asked for where all ids are greater than those before", () =>
    Effect.gen(function* () {
      const { asked, counting } = countAsked(makeFeedStore(makeFeedState()))
      const { read, storeId } = yield* pageThrough(counting, { pageSize: 10, maxConflicts: 5, cursor: 1 })
      const append = (...ranks: ReadonlyArray<number>) =>
        counting.append(
          storeId,
          ranks.map((rank) => recordOf({ event: "Set", primaryKey: String(rank % 2), rank, transportOnly: false }))
        )
      const write = (...ranks: ReadonlyArray<number>) => Effect.andThen(append(...ranks), read)
      yield* append(0)
      // What lies before the first page is not known.
      yield* write(1, 2)
      expect(asked).toEqual([2])
      // The greatest id that is asked for now is 4: what came before 3 is not known.
      yield* write(3, 4)
      expect(asked).toEqual([2, 1])
      yield* write(5, 6)
      yield* write(7, 8)
      expect(asked).toEqual([2, 1])
      // 4 is late: of its bucket there may be conflicts.
      yield* write(9, 4, 10)
      expect(asked).toEqual([2, 1, 1])
    })
  )

  it.effect("are not asked for where nobody handles an entry", () =>
    Effect.gen(function* () {
      const feeds = makeFeedStore(makeFeedState())
      const paging = { pageSize: 2, maxConflicts: 5 }
      const { read, storeId } = yield* pageThrough({ ...feeds, bucket: () => Effect.die("asked") }, paging)
      const silent = { event: "Set", primaryKey: "a", rank: 1, transportOnly: true }
      const unhandled = { event: "Unhandled", primaryKey: "a", rank: 2, transportOnly: false }
      yield* feeds.append(storeId, [silent, unhandled, silent, unhandled, unhandled].map(recordOf))
      expect((yield* read).flat()).toEqual([])
    })
  )
})
