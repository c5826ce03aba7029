import { describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { StorageError, StoreErasedError } from "../../src/backend/StorageError.ts"
import { makeArrivals } from "../../src/processing/waiting.ts"
import { failingAtFirst } from "./faults.ts"
import { commit, freshStoreId, handlersOf, makeBackend, makeJournal, rest, setRecords, startNode } from "./harness.ts"

describe("processed", () => {
  it.effect("answers at once for what was processed", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(backend.services, makeJournal().handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      yield* node.processing.processed(storeId, 1)
      yield* node.processing.processed(storeId, 0)
    })
  )

  it.effect("waits for the handler", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      let hasEnded = false
      const handlers = handlersOf(() =>
        Effect.andThen(
          Effect.sleep("1 second"),
          Effect.sync(() => {
            hasEnded = true
          })
        )
      )
      const node = yield* startNode(backend.services, handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 1))
      const waiting = yield* Effect.forkChild(
        Effect.map(node.processing.processed(storeId, 1), () => hasEnded),
        { startImmediately: true }
      )
      for (let step = 0; step < 20; step++) yield* TestClock.adjust("100 millis")
      expect(yield* Fiber.join(waiting)).toBe(true)
    })
  )

  it.effect("waits for an entry that is not written yet", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(backend.services, makeJournal().handlers)
      const storeId = freshStoreId()
      const waiting = yield* Effect.forkChild(node.processing.processed(storeId, 2), { startImmediately: true })
      yield* commit(backend, node, storeId, setRecords(1, 1))
      yield* Effect.yieldNow
      expect(waiting.pollUnsafe()).toBeUndefined()
      yield* commit(backend, node, storeId, setRecords(2, 2))
      yield* Fiber.join(waiting)
    })
  )

  it.live("waits for what another node processes", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const node = yield* startNode(backend.services, journal.handlers)
      const other = yield* startNode(backend.services, makeJournal().handlers, { leaseRetry: { min: 1, max: 5 } })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 1))
      yield* node.processing.processed(storeId, 1)
      // The first node keeps the lease for a while and hears of the other one's commit.
      yield* commit(backend, other, storeId, setRecords(2, 5))
      yield* other.processing.processed(storeId, 5)
      expect(journal.values(storeId)).toEqual([1, 2, 3, 4, 5])
      yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => other.processing.stats().stores === 0 }))
    })
  )

  it.effect("has entries processed that nobody told of", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(backend.services, makeJournal().handlers)
      // The first sweep passes before there is anything to find.
      yield* rest
      const storeId = freshStoreId()
      yield* backend.feeds.append(storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
    })
  )

  it.live("fails for a store that is erased, before or while it waits", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(backend.services, makeJournal().handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      const waiting = yield* Effect.forkChild(Effect.flip(node.processing.processed(storeId, 4)), {
        startImmediately: true
      })
      yield* backend.admin.erase(storeId)
      expect(yield* Fiber.join(waiting)).toBeInstanceOf(StoreErasedError)
      expect(yield* Effect.flip(node.processing.processed(storeId, 1))).toBeInstanceOf(StoreErasedError)
      yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => node.processing.stats().stores === 0 }))
    })
  )

  it.live("waits for a backend that is away for now, and fails for one that is broken", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const storeId = freshStoreId()
      for (const retryable of [true, false]) {
        const faulty = failingAtFirst(backend.services, "cursors", 2, retryable)
        const node = yield* startNode(faulty.services, makeJournal().handlers, { outageRetry: { min: 1, max: 2 } })
        const exit = yield* Effect.result(node.processing.processed(storeId, 0))
        if (retryable) expect(exit._tag).toBe("Success")
        else expect(exit).toMatchObject({ failure: expect.any(StorageError) })
        yield* node.close
      }
    })
  )

  it.effect("is interrupted when processing closes", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(backend.services, makeJournal().handlers)
      const waiting = yield* Effect.forkChild(node.processing.processed(freshStoreId(), 1), { startImmediately: true })
      yield* node.close
      const exit = yield* Fiber.await(waiting)
      expect(exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause)).toBe(true)
    })
  )

  it.effect("leaves nothing behind", () =>
    Effect.gen(function* () {
      const arrivals = makeArrivals()
      const storeId = freshStoreId()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const first = yield* arrivals.at(storeId, 3)
          const second = yield* arrivals.at(storeId, 5)
          arrivals.reached(storeId, 4)
          yield* first
          const waiting = yield* Effect.forkChild(second, { startImmediately: true })
          expect(waiting.pollUnsafe()).toBeUndefined()
          expect(arrivals.size()).toBe(1)
        })
      )
      expect(arrivals.size()).toBe(0)
    })
  )
})
