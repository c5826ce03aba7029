import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { expect } from "vitest"
import {
  commit,
  freshStoreId,
  handlersOf,
  makeBackend,
  makeJournal,
  range,
  scaled,
  setRecords,
  startNode,
  untilSaved
} from "./harness.ts"

describe("processing runs handlers in sequence order", () => {
  it.effect("over several pages", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const node = yield* startNode(backend.services, journal.handlers, {
        limits: { maxPageEntries: 3, maxPageBytes: 10_000 }
      })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 20))
      yield* node.processing.processed(storeId, 20)
      expect(journal.values(storeId)).toEqual(range(1, 20))
      yield* untilSaved
      expect(yield* backend.progress.cursors([storeId])).toEqual([20])
    })
  )

  it.effect("for entries whose ids are in another order", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const node = yield* startNode(backend.services, journal.handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 10).toReversed())
      yield* node.processing.processed(storeId, 10)
      expect(journal.values(storeId)).toEqual(range(1, 10).toReversed())
    })
  )

  it.effect("one at a time, however long each takes", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const seen: Array<string> = []
      const handlers = handlersOf(({ payload }) =>
        Effect.gen(function* () {
          seen.push(`${payload.value} begins`)
          for (let step = 0; step < 10 - payload.value; step++) yield* Effect.yieldNow
          seen.push(`${payload.value} ends`)
        })
      )
      const node = yield* startNode(backend.services, handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 5))
      yield* node.processing.processed(storeId, 5)
      expect(seen).toEqual(range(1, 5).flatMap((value) => [`${value} begins`, `${value} ends`]))
    })
  )

  it.effect("for commits that come while it runs", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const node = yield* startNode(backend.services, journal.handlers)
      const storeId = freshStoreId()
      for (const value of range(1, 50)) {
        yield* commit(backend, node, storeId, setRecords(value, value))
        if (value % 7 === 0) yield* Effect.yieldNow
      }
      yield* node.processing.processed(storeId, 50)
      expect(journal.values(storeId)).toEqual(range(1, 50))
    })
  )

  it.live("once, with two nodes that compete for every store", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const start = startNode(backend.services, journal.handlers, {
        limits: { maxPageEntries: 4, maxPageBytes: 10_000 },
        linger: 5,
        leaseRetry: { min: 1, max: 5 },
        sweepInterval: 20
      })
      const nodes = [yield* start, yield* start] as const
      const stores = range(1, 8).map(freshStoreId)
      const rounds = range(1, scaled(10, 100))
      const last = rounds.length * 5
      yield* Effect.forEach(
        stores,
        Effect.fnUntraced(function* (storeId, index) {
          for (const round of rounds) {
            const node = (index + round) % 2 === 0 ? nodes[0] : nodes[1]
            yield* commit(backend, node, storeId, setRecords(round * 5 - 4, round * 5))
            yield* Effect.sleep((index * 7 + round * 3) % 10)
          }
          yield* nodes[0].processing.processed(storeId, last)
          yield* nodes[1].processing.processed(storeId, last)
        }),
        { concurrency: "unbounded" }
      )
      for (const storeId of stores) expect(journal.values(storeId)).toEqual(range(1, last))
      const counted = [nodes[0].processing.stats().processed, nodes[1].processing.stats().processed] as const
      expect(counted[0] + counted[1]).toBe(stores.length * last)
      // Both had a part in it, or nothing competed.
      expect(Math.min(...counted)).toBeGreaterThan(0)
    })
  )
})
