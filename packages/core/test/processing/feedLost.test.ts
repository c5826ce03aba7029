import { describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Latch, Option } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import type { FeedRecord } from "../../src/backend/FeedStore.ts"
import type { StoreId } from "../../src/backend/StoreId.ts"
import { StoreProgress } from "../../src/backend/StoreProgress.ts"
import { MemoryFeed } from "../../src/memory/MemoryFeed.ts"
import {
  commit,
  freshStoreId,
  handlersOf,
  makeBackend,
  makeJournal,
  modes,
  range,
  rest,
  setRecords,
  startNode,
  type TestBackend,
  untilSaved,
  withLeases
} from "./harness.ts"

/**
 * An asynchronous replica takes over that has `kept` entries of the store and the cursor of that time, and gets others from
 * elsewhere before anybody looks.
 */
const failOver = (
  { state }: TestBackend,
  storeId: StoreId,
  kept: { readonly entries: number; readonly cursor: number },
  others: ReadonlyArray<FeedRecord>
): void => {
  const before = state.feeds.feeds.get(storeId)!
  const replica = new MemoryFeed()
  replica.append(before.page(1, { maxEntries: kept.entries, maxBytes: Number.MAX_SAFE_INTEGER }).entries)
  replica.append(others)
  state.feeds.feeds.set(storeId, replica)
  state.progress.cursors.set(storeId, kept.cursor)
}

/** A handler that journals, and at a value first says that it is there and waits until it may go on. */
const makePausing = (value: number) => {
  const arrived = Deferred.makeUnsafe<void>()
  const goOn = Latch.makeUnsafe()
  const values: Array<number> = []
  return {
    arrived: Deferred.await(arrived),
    goOn: goOn.open,
    values,
    handlers: handlersOf(({ payload }) =>
      Effect.gen(function* () {
        values.push(payload.value)
        if (payload.value !== value) return
        yield* Deferred.succeed(arrived, undefined)
        yield* goOn.await
      })
    )
  }
}

const limits = { maxPageEntries: 4, maxPageBytes: 10_000 }

describe.each(modes)("a feed that lost its tail, and grew beyond its head again, in %s", (_, servicesOf) => {
  it.effect("while a page is being run", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const seen = makePausing(7)
      const node = yield* startNode(servicesOf(backend), seen.handlers, { limits })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 8))
      yield* seen.arrived
      failOver(backend, storeId, { entries: 5, cursor: 3 }, setRecords(106, 112))
      yield* seen.goOn
      yield* node.processing.processed(storeId, 12)
      // The page that it had in hand, and then everything behind the cursor that the replica has.
      expect(seen.values).toEqual([...range(1, 8), 4, 5, ...range(106, 112)])
    })
  )

  it.effect("while it is idle and keeps its lease", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const leases = withLeases(servicesOf(backend))
      const journal = makeJournal()
      const node = yield* startNode(leases.services, journal.handlers, { limits })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 6))
      yield* node.processing.processed(storeId, 6)
      yield* rest
      failOver(backend, storeId, { entries: 4, cursor: 2 }, setRecords(105, 109))
      // The first word of it comes from a commit to the new feed.
      yield* backend.feeds.append(storeId, setRecords(110, 110))
      yield* rest
      // No time has passed: it began again at once.
      expect(journal.values(storeId)).toEqual([...range(1, 6), 3, 4, ...range(105, 110)])
      expect(leases.taken()).toBe(2)
      yield* untilSaved
      expect(yield* backend.progress.cursors([storeId])).toEqual([10])
    })
  )

  it.effect("while another node has the lease", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const seen = makePausing(4)
      const holder = yield* startNode(servicesOf(backend), seen.handlers)
      const journal = makeJournal()
      const blocked = yield* startNode(servicesOf(backend), journal.handlers)
      const storeId = freshStoreId()
      yield* commit(backend, holder, storeId, setRecords(1, 5))
      yield* seen.arrived
      yield* commit(backend, blocked, storeId, setRecords(6, 8))
      yield* rest
      failOver(backend, storeId, { entries: 4, cursor: 2 }, setRecords(105, 110))
      // The other node dies with what it has in hand.
      backend.state.progress.holders.delete(storeId)
      yield* TestClock.adjust("2 seconds")
      yield* blocked.processing.processed(storeId, 10)
      expect(journal.values(storeId)).toEqual([3, 4, ...range(105, 110)])
      yield* seen.goOn
      yield* rest
      expect(yield* backend.progress.cursors([storeId])).toEqual([10])
    })
  )

  it.effect("before what was processed could be saved", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const seen = makePausing(5)
      const node = yield* startNode(servicesOf(backend), seen.handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 5))
      yield* seen.arrived
      // As long as before, so that the cursor would fit.
      failOver(backend, storeId, { entries: 3, cursor: 0 }, setRecords(104, 105))
      yield* seen.goOn
      yield* untilSaved
      yield* untilSaved
      expect(seen.values).toEqual([...range(1, 5), ...range(1, 3), 104, 105])
      expect(yield* backend.progress.cursors([storeId])).toEqual([5])
    })
  )
})

describe("a feed that is lost again and again", () => {
  it.effect("has its store begin anew a few times at once, and then with delays", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const storeId = freshStoreId()
      let isLost = true
      const progress: StoreProgress["Service"] = {
        ...backend.progress,
        lease: (id) =>
          Effect.map(
            backend.progress.lease(id),
            Option.map((lease) => ({
              ...lease,
              // No feed has an entry of this id.
              advance: ({ id, sequence }) => lease.advance({ sequence, id: isLost ? id.map((byte) => byte ^ 1) : id })
            }))
          )
      }
      const leases = withLeases(Context.add(backend.services, StoreProgress, progress))
      const journal = makeJournal()
      const node = yield* startNode(leases.services, journal.handlers)
      yield* commit(backend, node, storeId, setRecords(1, 1))
      // Each time it is noticed when the cursor is saved.
      yield* Effect.repeat(untilSaved, { times: 3 })
      yield* rest
      const atOnce = leases.taken()
      expect(atOnce).toBe(4)
      isLost = false
      yield* TestClock.adjust("2 seconds")
      yield* node.processing.processed(storeId, 1)
      expect(leases.taken()).toBe(atOnce + 1)
    })
  )
})
