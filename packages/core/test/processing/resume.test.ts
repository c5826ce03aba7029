import { describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Latch } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { makeConnection } from "./faults.ts"
import {
  commit,
  freshStoreId,
  handlersOf,
  makeBackend,
  makeJournal,
  range,
  setRecords,
  startNode,
  untilSaved
} from "./harness.ts"

/** A handler that journals, and at `value` first says that it is there and waits until it may go on. */
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
        if (payload.value === value) {
          yield* Deferred.succeed(arrived, undefined)
          yield* goOn.await
        }
        values.push(payload.value)
      })
    )
  }
}

describe("another node goes on", () => {
  it.effect("behind the last entry when the holder closes in the middle of a page", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const first = makePausing(4)
      const node = yield* startNode(backend.services, first.handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 10))
      yield* first.arrived
      const closing = yield* Effect.forkChild(node.close)
      yield* Effect.yieldNow
      yield* first.goOn
      yield* Fiber.join(closing)
      expect(first.values).toEqual([1, 2, 3, 4])
      expect(yield* backend.progress.cursors([storeId])).toEqual([4])

      const journal = makeJournal()
      const other = yield* startNode(backend.services, journal.handlers)
      yield* other.processing.processed(storeId, 10)
      expect(journal.values(storeId)).toEqual(range(5, 10))
    })
  )

  it.effect("with the entry whose handler did not end when the holder closed", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const first = makePausing(4)
      const node = yield* startNode(backend.services, first.handlers, { shutdownTimeout: "5 seconds" })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 10))
      yield* first.arrived
      const closing = yield* Effect.forkChild(node.close, { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
      expect(yield* backend.progress.cursors([storeId])).toEqual([3])
      expect(node.processing.stats().handlerFailures).toBe(0)

      const journal = makeJournal()
      const other = yield* startNode(backend.services, journal.handlers)
      yield* other.processing.processed(storeId, 10)
      expect(journal.values(storeId)).toEqual(range(4, 10))
    })
  )

  it.effect("behind the cursor when the holder died, repeating only what was not saved", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const connection = makeConnection(backend.services)
      const first = makePausing(6)
      const node = yield* startNode(connection.services, first.handlers, {
        limits: { maxPageEntries: 4, maxPageBytes: 10_000 }
      })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 10))
      yield* first.arrived
      yield* untilSaved
      connection.become("cut")
      backend.state.progress.holders.delete(storeId)

      const journal = makeJournal()
      const other = yield* startNode(backend.services, journal.handlers)
      yield* other.processing.processed(storeId, 10)
      expect(journal.values(storeId)).toEqual(range(6, 10))
    })
  )

  it.live("while it waits for the lease, whenever the holder gives it up", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const first = makePausing(2)
      const node = yield* startNode(backend.services, first.handlers)
      const journal = makeJournal()
      const other = yield* startNode(backend.services, journal.handlers, { leaseRetry: { min: 1, max: 5 } })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 2))
      yield* first.arrived
      yield* commit(backend, other, storeId, setRecords(3, 5))
      const closing = yield* Effect.forkChild(node.close)
      yield* first.goOn
      yield* Fiber.join(closing)
      yield* other.processing.processed(storeId, 5)
      expect([...first.values, ...journal.values(storeId)]).toEqual(range(1, 5))
    })
  )

  it.effect("from where the cursor was saved in the middle of a long page", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(
        backend.services,
        handlersOf(() => Effect.sleep("400 millis"))
      )
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 100))
      const processed = yield* Effect.forkChild(node.processing.processed(storeId, 3))
      yield* Effect.forEach(range(1, 3), () => Effect.andThen(TestClock.adjust("400 millis"), Effect.yieldNow))
      yield* Fiber.join(processed)
      expect(node.processing.stats().processed).toBe(3)
    })
  )
})
