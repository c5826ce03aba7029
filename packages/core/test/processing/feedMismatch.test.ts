import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { type FeedMismatch, ProcessingStoppedError } from "../../src/processing/stoppedStores.ts"
import {
  commit,
  freshStoreId,
  makeBackend,
  makeJournal,
  range,
  rest,
  setRecords,
  startNode,
  withLeases
} from "./harness.ts"

const setup = Effect.gen(function* () {
  const backend = yield* makeBackend
  const storeId = freshStoreId()
  const journal = makeJournal()
  const mismatches: Array<FeedMismatch> = []
  yield* backend.feeds.append(storeId, setRecords(1, 5))
  // As with cursors that are kept elsewhere, when a backup of the feeds was restored.
  backend.state.progress.cursors.set(storeId, 9)
  const leases = withLeases(backend.services)
  const node = yield* startNode(leases.services, journal.handlers, {
    sweepInterval: "30 seconds",
    onFeedMismatch: (mismatch) => mismatches.push(mismatch)
  })
  return { backend, journal, leases, mismatches, node, storeId }
})

describe("a feed that went backwards", () => {
  it.effect("is found by the sweep and reported, once", () =>
    Effect.gen(function* () {
      const { backend, mismatches, node, storeId } = yield* setup
      yield* rest
      expect(mismatches).toEqual([{ storeId, cursor: 9, head: 5 }])
      for (const value of range(6, 8)) {
        yield* commit(backend, node, storeId, setRecords(value, value))
        yield* rest
        yield* TestClock.adjust("1 minute")
        yield* rest
      }
      expect(mismatches).toHaveLength(1)
      expect(node.processing.stats()).toMatchObject({ stopped: 1, stores: 0, processed: 0 })
      expect(backend.state.progress.holders.size).toBe(0)
    })
  )

  it.effect("is not processed any more, even when it has grown beyond the cursor", () =>
    Effect.gen(function* () {
      const { backend, journal, node, storeId } = yield* setup
      yield* rest
      yield* commit(backend, node, storeId, setRecords(6, 12))
      yield* rest
      yield* TestClock.adjust("1 minute")
      yield* rest
      expect(journal.values(storeId)).toEqual([])
      expect(yield* backend.progress.cursors([storeId])).toEqual([9])
    })
  )

  it.effect("is only looked at by the sweep", () =>
    Effect.gen(function* () {
      const { backend, leases, node, storeId } = yield* setup
      yield* rest
      const taken = leases.taken()
      for (const value of range(6, 8)) {
        yield* commit(backend, node, storeId, setRecords(value, value))
        yield* rest
      }
      expect(leases.taken()).toBe(taken)
    })
  )

  it.effect("fails those who wait for it to be processed", () =>
    Effect.gen(function* () {
      const { node, storeId } = yield* setup
      yield* node.processing.processed(storeId, 9)
      yield* rest
      expect(yield* Effect.flip(node.processing.processed(storeId, 10))).toBeInstanceOf(ProcessingStoppedError)
    })
  )

  it.effect("goes on when its cursor was moved back", () =>
    Effect.gen(function* () {
      const { backend, journal, node, storeId } = yield* setup
      yield* rest
      backend.state.progress.cursors.set(storeId, 3)
      yield* TestClock.adjust("1 minute")
      yield* node.processing.processed(storeId, 5)
      expect(journal.values(storeId)).toEqual([4, 5])
      expect(node.processing.stats().stopped).toBe(0)
    })
  )

  it.effect("keeps no other store from being processed", () =>
    Effect.gen(function* () {
      const { backend, journal, node } = yield* setup
      const other = freshStoreId()
      yield* commit(backend, node, other, setRecords(1, 3))
      yield* node.processing.processed(other, 3)
      expect(journal.values(other)).toEqual([1, 2, 3])
    })
  )
})
