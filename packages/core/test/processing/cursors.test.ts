import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { failingAtFirst, withFault } from "./faults.ts"
import {
  commit,
  freshStoreId,
  handlersOf,
  makeBackend,
  makeJournal,
  range,
  rest,
  type SetInput,
  setRecords,
  startNode,
  type TestBackend
} from "./harness.ts"

/** A backend that is asked to save a cursor no sooner than it may be, and counts how often it is. */
const withSaving = ({ services }: TestBackend, mayBe: Effect.Effect<void> = Effect.void) => {
  let asked = 0
  return {
    services: withFault(services, (operation) =>
      Effect.suspend(() => {
        if (operation !== "advance") return Effect.void
        asked++
        return mayBe
      })
    ),
    asked: () => asked
  }
}

const limits = { maxPageEntries: 3, maxPageBytes: 10_000 }

describe("a cursor is saved", () => {
  it.effect("once for all that ran, when its store has come to rest", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const saving = withSaving(backend)
      const node = yield* startNode(saving.services, makeJournal().handlers, { limits })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 20))
      yield* node.processing.processed(storeId, 20)
      yield* TestClock.adjust("49 millis")
      expect(saving.asked()).toBe(0)
      yield* TestClock.adjust("1 millis")
      expect(yield* backend.progress.cursors([storeId])).toEqual([20])
      yield* TestClock.adjust("1 second")
      expect(saving.asked()).toBe(1)
    })
  )

  it.effect("after a second, though its store doesn't come to rest", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const saving = withSaving(backend)
      const node = yield* startNode(saving.services, makeJournal().handlers)
      const storeId = freshStoreId()
      for (const value of range(1, 250)) {
        yield* commit(backend, node, storeId, setRecords(value, value))
        yield* node.processing.processed(storeId, value)
        yield* TestClock.adjust("10 millis")
        const saved = backend.state.progress.cursors.get(storeId) ?? 0
        expect(value - saved).toBeLessThanOrEqual(100)
      }
      expect(saving.asked()).toBe(2)
    })
  )

  it.effect("at the same moment for all stores that are due", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const mayBe = yield* Latch.make(false)
      const saving = withSaving(backend, mayBe.await)
      const node = yield* startNode(saving.services, makeJournal().handlers)
      const stores = range(1, 10).map(freshStoreId)
      for (const storeId of stores) {
        yield* commit(backend, node, storeId, setRecords(1, 2))
        yield* node.processing.processed(storeId, 2)
        yield* TestClock.adjust("2 millis")
      }
      expect(saving.asked()).toBe(0)
      yield* TestClock.adjust("30 millis")
      // Each was asked for before another one was done.
      expect(saving.asked()).toBe(stores.length)
      yield* mayBe.open
      yield* rest
      expect(yield* backend.progress.cursors(stores)).toEqual(stores.map(() => 2))
    })
  )

  it.effect("while the next handler runs, but no further than what ran", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const handlers = handlersOf(({ payload }) => (payload.value === 3 ? Effect.never : Effect.void))
      const node = yield* startNode(backend.services, handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 5))
      yield* rest
      yield* TestClock.adjust("50 millis")
      expect(yield* backend.progress.cursors([storeId])).toEqual([2])
      yield* TestClock.adjust("29 seconds")
      expect(yield* backend.progress.cursors([storeId])).toEqual([2])
    })
  )

  it.effect("before its store waits for another turn", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const [slow, other] = [freshStoreId(), freshStoreId()]
      const goOn = { [slow]: yield* Latch.make(false), [other]: yield* Latch.make(false) }
      const handler = ({ storeId }: SetInput) => goOn[storeId]!.await
      const node = yield* startNode(backend.services, handlersOf(handler), { maxStores: 1 })
      yield* commit(backend, node, slow, setRecords(1, 2))
      yield* rest
      yield* commit(backend, node, other, setRecords(1, 1))
      yield* TestClock.adjust("100 millis")
      yield* rest
      yield* goOn[slow]!.open
      yield* rest
      // No time has passed.
      expect(yield* backend.progress.cursors([slow, other])).toEqual([1, 0])
    })
  )

  it.effect("before its lease is given back", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const saving = withSaving(backend)
      const node = yield* startNode(saving.services, makeJournal().handlers, { linger: "10 millis" })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      yield* rest
      expect(saving.asked()).toBe(0)
      yield* TestClock.adjust("10 millis")
      yield* rest
      expect(node.processing.stats().stores).toBe(0)
      expect(yield* backend.progress.cursors([storeId])).toEqual([3])
    })
  )

  it.effect("before its lease is given back, however long the backend is away", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const faulty = failingAtFirst(backend.services, "advance", 3)
      const journal = makeJournal()
      const node = yield* startNode(faulty.services, journal.handlers, { linger: "10 millis" })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      yield* rest
      yield* TestClock.adjust("10 millis")
      yield* rest
      expect(backend.state.progress.holders.has(storeId)).toBe(true)
      yield* TestClock.adjust("2 seconds")
      yield* rest
      expect(backend.state.progress.holders.has(storeId)).toBe(false)
      expect(yield* backend.progress.cursors([storeId])).toEqual([3])
      expect(journal.values(storeId)).toEqual([1, 2, 3])
    })
  )

  it.effect("before processing closes", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(backend.services, makeJournal().handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      expect(yield* backend.progress.cursors([storeId])).toEqual([0])
      yield* node.close
      expect(yield* backend.progress.cursors([storeId])).toEqual([3])
    })
  )
})

describe("closing while a cursor is being saved", () => {
  it.effect("waits for that, and saves what ran since", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const mayBe = yield* Latch.make(false)
      const saving = withSaving(backend, mayBe.await)
      const node = yield* startNode(saving.services, makeJournal().handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      yield* TestClock.adjust("50 millis")
      yield* commit(backend, node, storeId, setRecords(4, 5))
      yield* node.processing.processed(storeId, 5)
      const closing = yield* Effect.forkChild(node.close, { startImmediately: true })
      yield* rest
      expect(saving.asked()).toBe(1)
      yield* mayBe.open
      yield* Fiber.join(closing)
      expect(saving.asked()).toBe(2)
      expect(yield* backend.progress.cursors([storeId])).toEqual([5])
    })
  )

  it.effect("waits no longer than shutdownTimeout", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const saving = withSaving(backend, Effect.never)
      const node = yield* startNode(saving.services, makeJournal().handlers, { shutdownTimeout: "5 seconds" })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      yield* TestClock.adjust("50 millis")
      const closing = yield* Effect.forkChild(node.close, { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
      expect(backend.state.progress.holders.size).toBe(0)
    })
  )
})

describe("handlers whose cursor isn't saved yet", () => {
  it.effect("have run for whoever waits for them on this node, and for whoever asks later", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(withSaving(backend, Effect.never).services, makeJournal().handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      yield* node.processing.processed(storeId, 2)
      expect(yield* backend.progress.cursors([storeId])).toEqual([0])
    })
  )

  it.effect("are followed by no others when two seconds of them are unsaved", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const mayBe = yield* Latch.make(false)
      const journal = makeJournal()
      const node = yield* startNode(withSaving(backend, mayBe.await).services, journal.handlers)
      const storeId = freshStoreId()
      for (const value of range(1, 50)) {
        yield* commit(backend, node, storeId, setRecords(value, value))
        yield* rest
        yield* TestClock.adjust("100 millis")
      }
      const ran = journal.values(storeId).length
      expect(ran).toBeGreaterThan(15)
      expect(ran).toBeLessThan(25)
      yield* mayBe.open
      yield* rest
      expect(journal.values(storeId)).toEqual(range(1, 50))
    })
  )

  it.effect("run again behind the cursor that the backend has when the lease was lost meanwhile", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const node = yield* startNode(backend.services, journal.handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      backend.state.progress.holders.delete(storeId)
      backend.state.progress.cursors.set(storeId, 1)
      yield* TestClock.adjust("50 millis")
      yield* rest
      yield* TestClock.adjust("50 millis")
      yield* rest
      expect(journal.values(storeId)).toEqual([1, 2, 3, 2, 3])
      yield* TestClock.adjust("50 millis")
      expect(yield* backend.progress.cursors([storeId])).toEqual([3])
    })
  )
})
