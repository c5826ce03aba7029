import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import {
  commit,
  freshStoreId,
  handlersOf,
  makeBackend,
  makeJournal,
  range,
  rest,
  setRecords,
  startNode,
  withLeases
} from "./harness.ts"

describe("the sweep", () => {
  it.effect("finds at its start what no node was told of", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      // More stores than a page of heads, and than may be processed at a time.
      const stores = range(1, 300).map(freshStoreId)
      for (const storeId of stores) yield* backend.feeds.append(storeId, setRecords(1, 2))
      const journal = makeJournal()
      const node = yield* startNode(backend.services, journal.handlers, { maxStores: 8 })
      for (const storeId of stores) {
        yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => journal.values(storeId).length === 2 }))
      }
      yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => node.processing.stats().stores === 0 }))
      expect(yield* backend.progress.cursors(stores)).toEqual(stores.map(() => 2))
      expect(backend.state.progress.holders.size).toBe(0)
    })
  )

  it.effect("finds later what a node committed and did not live to process", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      yield* startNode(backend.services, journal.handlers, { sweepInterval: "30 seconds" })
      yield* rest
      const storeId = freshStoreId()
      yield* backend.feeds.append(storeId, setRecords(1, 3))
      yield* rest
      expect(journal.values(storeId)).toEqual([])
      yield* TestClock.adjust("1 minute")
      yield* rest
      expect(journal.values(storeId)).toEqual([1, 2, 3])
    })
  )

  it.effect("takes no lease of a store that is up to date", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(backend.services, makeJournal().handlers, { sweepInterval: "30 seconds" })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      yield* node.close
      const leases = withLeases(backend.services)
      yield* startNode(leases.services, makeJournal().handlers)
      yield* rest
      yield* TestClock.adjust("1 minute")
      yield* rest
      expect(leases.taken()).toBe(0)
    })
  )

  it.effect("doesn't have more stores wait for their turn than may have one", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      for (const storeId of range(1, 300).map(freshStoreId)) yield* backend.feeds.append(storeId, setRecords(1, 1))
      const node = yield* startNode(
        backend.services,
        handlersOf(() => Effect.sleep("1 second")),
        { maxStores: 4 }
      )
      yield* rest
      // Four have their turn, four wait for it, and one may be on its way there.
      expect(node.processing.stats().stores).toBeLessThanOrEqual(9)
      expect(node.processing.stats().stores).toBeGreaterThanOrEqual(4)
    })
  )
})
