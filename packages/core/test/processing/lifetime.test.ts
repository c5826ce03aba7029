import { describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { FeedStore } from "../../src/backend/FeedStore.ts"
import { makeConnection } from "./faults.ts"
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
  withLeases,
  withTransactions
} from "./harness.ts"

describe("a store that has nothing to do", () => {
  it.effect("keeps its lease for a while, then leaves nothing behind", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(backend.services, makeJournal().handlers, { linger: "2 seconds" })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      yield* rest
      expect(backend.state.progress.holders.size).toBe(1)
      yield* TestClock.adjust("1900 millis")
      expect(backend.state.progress.holders.size).toBe(1)
      yield* TestClock.adjust("100 millis")
      yield* rest
      expect(backend.state.progress.holders.size).toBe(0)
      expect(backend.state.feeds.listeners.storeIds).toEqual([])
      expect(node.processing.stats().stores).toBe(0)
    })
  )

  it.effect("hears of commits of other nodes while it keeps its lease", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const node = yield* startNode(backend.services, journal.handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      yield* rest
      yield* backend.feeds.append(storeId, setRecords(4, 5))
      yield* rest
      expect(journal.values(storeId)).toEqual(range(1, 5))
    })
  )

  it.effect("is looked at again for a commit that comes while it is read", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const storeId = freshStoreId()
      const last = 10
      let value = 1
      // Each page is followed by a commit that it doesn't know of, and that only this node tells of.
      const commitNext = Effect.gen(function* () {
        if (value >= last) return
        value++
        yield* commit(backend, node, storeId, setRecords(value, value))
      })
      const feeds: FeedStore["Service"] = {
        ...backend.feeds,
        read: (...args) => Effect.tap(backend.feeds.read(...args), commitNext),
        wakeups: () => Stream.concat(Stream.succeed({}), Stream.never)
      }
      const services = Context.add(backend.services, FeedStore, feeds)
      const node: TestNode = yield* startNode(services, journal.handlers)
      yield* rest
      yield* commit(backend, node, storeId, setRecords(1, 1))
      yield* rest
      expect(journal.values(storeId)).toEqual(range(1, last))
    })
  )

  it.effect("is looked at again for a commit that comes while its lease is given back", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const storeId = freshStoreId()
      let isFirst = true
      const commitOnce = Effect.gen(function* () {
        if (!isFirst) return
        isFirst = false
        yield* commit(backend, node, storeId, setRecords(2, 3))
      }).pipe(Effect.orDie)
      const leases = withLeases(backend.services, commitOnce)
      const node: TestNode = yield* startNode(leases.services, journal.handlers, { linger: "2 seconds" })
      yield* rest
      yield* commit(backend, node, storeId, setRecords(1, 1))
      yield* rest
      yield* TestClock.adjust("2 seconds")
      yield* rest
      expect(journal.values(storeId)).toEqual([1, 2, 3])
      expect(leases.taken()).toBe(2)
    })
  )

  it.effect("leaves nothing behind when it is erased", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(backend.services, makeJournal().handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      yield* rest
      yield* backend.admin.erase(storeId)
      yield* rest
      expect(node.processing.stats().stores).toBe(0)
      expect(backend.state.feeds.listeners.storeIds).toEqual([])
      node.processing.notify(storeId)
      yield* rest
      expect(node.processing.stats()).toMatchObject({ stores: 0, stopped: 0 })
    })
  )
})

describe("a store that another node looks after", () => {
  it.effect("is left to it as soon as it has done the work", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const holder = yield* startNode(backend.services, makeJournal().handlers, { linger: "1 hour" })
      const journal = makeJournal()
      const node = yield* startNode(backend.services, journal.handlers)
      const storeId = freshStoreId()
      yield* commit(backend, holder, storeId, setRecords(1, 3))
      yield* holder.processing.processed(storeId, 3)
      yield* commit(backend, node, storeId, setRecords(4, 5))
      expect(node.processing.stats().stores).toBe(1)
      yield* untilSaved
      yield* rest
      yield* TestClock.adjust("100 millis")
      yield* rest
      expect(node.processing.stats().stores).toBe(0)
      expect(holder.processing.stats()).toMatchObject({ stores: 1, processed: 5 })
      expect(journal.values(storeId)).toEqual([])
    })
  )
})

describe("notify", () => {
  it.effect("returns before anything is done", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const node = yield* startNode(backend.services, journal.handlers)
      const storeId = freshStoreId()
      yield* backend.feeds.append(storeId, setRecords(1, 3))
      const seen = yield* Effect.sync(() => {
        node.processing.notify(storeId)
        return journal.runs.length
      })
      expect(seen).toBe(0)
      yield* node.processing.processed(storeId, 3)
    })
  )
})

describe("closing", () => {
  it.effect("gives leases back and does nothing more", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const node = yield* startNode(backend.services, journal.handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      yield* node.close
      expect(backend.state.progress.holders.size).toBe(0)
      yield* commit(backend, node, storeId, setRecords(4, 5))
      yield* rest
      expect(journal.values(storeId)).toEqual([1, 2, 3])
      expect(node.processing.stats().stores).toBe(0)
    })
  )

  it.effect("is not held up by a backend that is away", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const connection = makeConnection(backend.services)
      const node = yield* startNode(connection.services, makeJournal().handlers)
      connection.become("away")
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* rest
      yield* node.close
    })
  )
})

describe("closing while a handler runs", () => {
  it.effect("undoes its transaction, without waiting for it", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(
        withTransactions(backend),
        handlersOf(() => Effect.uninterruptible(Effect.never))
      )
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* rest
      yield* node.close
      expect(backend.state.progress.holders.size).toBe(0)
      expect(yield* backend.progress.cursors([storeId])).toEqual([0])
    })
  )

  it.effect("is not held up by a handler that ignores it, for longer than shutdownTimeout", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(
        backend.services,
        handlersOf(() => Effect.uninterruptible(Effect.never)),
        { shutdownTimeout: "5 seconds" }
      )
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* rest
      const closing = yield* Effect.forkChild(node.close, { startImmediately: true })
      yield* TestClock.adjust("4 seconds")
      yield* rest
      expect(closing.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      expect(backend.state.progress.holders.size).toBe(0)
      expect(yield* backend.progress.cursors([storeId])).toEqual([0])
    })
  )
})
