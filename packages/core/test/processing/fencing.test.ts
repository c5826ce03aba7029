import { describe, it } from "@effect/vitest"
import { Deferred, Effect, Latch } from "effect"
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
  type TestNode,
  untilSaved,
  withLeases
} from "./harness.ts"

describe("a holder that lost its lease", () => {
  it.effect("moves no cursor, and competes again", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const arrived = yield* Deferred.make<void>()
      const goOn = yield* Latch.make()
      const values: Array<number> = []
      const slow = handlersOf(({ payload }) =>
        Effect.gen(function* () {
          values.push(payload.value)
          if (payload.value !== 2) return
          yield* Deferred.succeed(arrived, undefined)
          yield* goOn.await
        })
      )
      const loser = yield* startNode(backend.services, slow)
      const storeId = freshStoreId()
      yield* commit(backend, loser, storeId, setRecords(1, 4))
      yield* Deferred.await(arrived)

      // The backend takes the loser for dead; the next holder moves the cursor, then is gone too.
      backend.state.progress.holders.delete(storeId)
      const journal = makeJournal()
      const winner = yield* startNode(backend.services, journal.handlers)
      yield* commit(backend, winner, storeId, setRecords(5, 6))
      yield* winner.processing.processed(storeId, 6)
      expect(journal.values(storeId)).toEqual(range(1, 6))
      yield* winner.close

      const before = backend.state.progress.cursors.get(storeId)
      // The loser notices when what it ran before is to be saved.
      yield* untilSaved
      yield* goOn.open
      yield* commit(backend, loser, storeId, setRecords(7, 7))
      yield* rest
      yield* TestClock.adjust("100 millis")
      yield* loser.processing.processed(storeId, 7)
      expect(before).toBe(6)
      // It let the handler end that was running, moved nothing, and went on behind the winner.
      expect(values).toEqual([1, 2, 7])
    })
  )

  it.effect("runs nothing after a handler in which that can have happened", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const arrived = yield* Deferred.make<void>()
      const goOn = yield* Latch.make()
      const values: Array<number> = []
      const slow = handlersOf(({ payload }) =>
        Effect.gen(function* () {
          values.push(payload.value)
          yield* Deferred.succeed(arrived, undefined)
          yield* goOn.await
        })
      )
      const loser = yield* startNode(backend.services, slow, {
        limits: { maxPageEntries: 2, maxPageBytes: 1_000 }
      })
      const storeId = freshStoreId()
      yield* commit(backend, loser, storeId, setRecords(1, 4))
      yield* Deferred.await(arrived)
      const journal = makeJournal()
      backend.state.progress.holders.delete(storeId)
      const winner = yield* startNode(backend.services, journal.handlers)
      yield* winner.processing.processed(storeId, 4)
      // A slow handler's turn is over, and what it did is saved first.
      yield* TestClock.adjust("100 millis")
      yield* goOn.open
      yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => loser.processing.stats().stores === 0 }))
      expect(values).toEqual([1])
      expect(journal.values(storeId)).toEqual([1, 2, 3, 4])
    })
  )

  it.live("goes on with what it was told of meanwhile", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const storeId = freshStoreId()
      yield* backend.feeds.append(storeId, setRecords(1, 2))
      const values: Array<number> = []
      const handlers = handlersOf(({ payload }) =>
        Effect.gen(function* () {
          values.push(payload.value)
          if (payload.value === 2) yield* commit(backend, node, storeId, setRecords(3, 4))
          if (payload.value !== 3 || values.length !== 3) return
          // What ran before is saved meanwhile.
          yield* Effect.sleep(1).pipe(Effect.repeat({ until: () => backend.state.progress.cursors.get(storeId) === 2 }))
          backend.state.progress.holders.delete(storeId)
        })
      )
      // Somebody else holds the lease at first, so that the node knows the head of before.
      const released = yield* Latch.make()
      yield* Effect.forkChild(Effect.scoped(Effect.andThen(backend.progress.lease(storeId), released.await)), {
        startImmediately: true
      })
      const leases = withLeases(backend.services)
      const node: TestNode = yield* startNode(leases.services, handlers, {
        leaseRetry: { min: 1, max: 2 },
        limits: { maxPageEntries: 2, maxPageBytes: 1_000 }
      })
      yield* Effect.sleep(1).pipe(Effect.repeat({ until: () => leases.taken() > 2 }))
      yield* released.open
      yield* Effect.sleep(1).pipe(Effect.repeat({ until: () => backend.state.progress.cursors.get(storeId) === 4 }))
      // It lost the lease with 3 and 4 in hand, and ran them again.
      expect(values).toEqual([1, 2, 3, 4, 3, 4])
    })
  )

  it.live("to an erasure stops, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const arrived = yield* Deferred.make<void>()
      const goOn = yield* Latch.make()
      const handlers = handlersOf(() => Effect.andThen(Deferred.succeed(arrived, undefined), goOn.await))
      const node = yield* startNode(backend.services, handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 4))
      yield* Deferred.await(arrived)
      yield* backend.admin.erase(storeId)
      yield* goOn.open
      yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => node.processing.stats().stores === 0 }))
      expect(backend.state.progress.cursors.size).toBe(0)
      expect(backend.state.progress.holders.size).toBe(0)
      expect(node.processing.stats()).toMatchObject({ stopped: 0, handlerFailures: 0 })
    })
  )
})
