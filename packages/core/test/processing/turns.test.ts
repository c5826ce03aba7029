import { describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Latch } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import type { BackendServices } from "../../src/backend/Backend.ts"
import { type FeedEntry, FeedStore } from "../../src/backend/FeedStore.ts"
import type { StoreId } from "../../src/backend/StoreId.ts"
import { countHeld } from "../server/garbage.ts"
import {
  commit,
  freshStoreId,
  handlersOf,
  makeBackend,
  modes,
  range,
  rest,
  type SetInput,
  setRecords,
  startNode
} from "./harness.ts"

describe("stores take turns", () => {
  it.effect("so that no more than maxStores are processed at a time", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      let running = 0
      let most = 0
      const handlers = handlersOf(() =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            most = Math.max(most, ++running)
          }),
          () => Effect.yieldNow,
          () => Effect.sync(() => void running--)
        )
      )
      const node = yield* startNode(backend.services, handlers, { maxStores: 3 })
      const stores = range(1, 12).map(freshStoreId)
      for (const storeId of stores) yield* commit(backend, node, storeId, setRecords(1, 5))
      yield* Effect.forEach(stores, (storeId) => node.processing.processed(storeId, 5), { concurrency: "unbounded" })
      expect(most).toBe(3)
    })
  )

  it.effect("so that a long backlog keeps no other store waiting", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const seen: Array<string> = []
      const node = yield* startNode(
        backend.services,
        handlersOf(({ storeId }) =>
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => void seen.push(storeId))
          )
        ),
        { maxStores: 1, limits: { maxPageEntries: 2, maxPageBytes: 10_000 } }
      )
      const [long, short] = [freshStoreId(), freshStoreId()]
      yield* commit(backend, node, long, setRecords(1, 100))
      yield* commit(backend, node, short, setRecords(1, 2))
      yield* node.processing.processed(short, 2)
      expect(seen.filter((storeId) => storeId === long).length).toBeLessThanOrEqual(4)
      yield* node.processing.processed(long, 100)
    })
  )

  it.live("and the event loop has its own in the middle of a page whose handlers never wait", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      let hadTurn = false
      const seen: Array<boolean> = []
      const busy = Effect.sync(() => {
        if (seen.length === 0) setImmediate(() => (hadTurn = true))
        seen.push(hadTurn)
        const end = performance.now() + 15
        while (performance.now() < end) {}
      })
      const node = yield* startNode(
        backend.services,
        handlersOf(() => busy)
      )
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 4))
      yield* node.processing.processed(storeId, 4)
      expect([seen[0], seen[3]]).toEqual([false, true])
    })
  )

  it.effect("and a store that keeps its lease while idle has none", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const arrived = yield* Deferred.make<void>()
      const goOn = yield* Latch.make(true)
      const node = yield* startNode(
        backend.services,
        handlersOf(() => Effect.andThen(Deferred.succeed(arrived, undefined), goOn.await)),
        { maxStores: 1 }
      )
      const [idle, other] = [freshStoreId(), freshStoreId()]
      yield* commit(backend, node, idle, setRecords(1, 1))
      yield* node.processing.processed(idle, 1)
      expect(backend.state.progress.holders.has(idle)).toBe(true)
      yield* commit(backend, node, other, setRecords(1, 1))
      yield* node.processing.processed(other, 1)
    })
  )
})

/** A page as a store hands it out, with the entries of every page that was read before. */
const watchReads = (services: Context.Context<BackendServices>) => {
  const feeds = Context.get(services, FeedStore)
  const pages: Array<ReadonlyArray<WeakRef<FeedEntry>>> = []
  return {
    pages,
    services: Context.add(services, FeedStore, {
      ...feeds,
      read: (...args) =>
        Effect.tap(feeds.read(...args), ({ entries }) =>
          Effect.sync(() => void pages.push(entries.map((entry) => new WeakRef(entry))))
        )
    })
  }
}

describe.each(modes)("a slow handler gives the turn of its store back, in %s", (_, servicesOf) => {
  it.effect("so that as many that hang as have turns hold up no other store", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const hanging = new Set<StoreId>()
      const node = yield* startNode(
        servicesOf(backend),
        handlersOf(({ storeId }) => (hanging.has(storeId) ? Effect.never : Effect.void))
      )
      for (const storeId of range(1, 64).map(freshStoreId)) {
        hanging.add(storeId)
        yield* commit(backend, node, storeId, setRecords(1, 2))
      }
      yield* rest
      const good = freshStoreId()
      yield* commit(backend, node, good, setRecords(1, 1))
      const processed = yield* Effect.forkChild(node.processing.processed(good, 1))
      yield* TestClock.adjust("99 millis")
      yield* rest
      expect(processed.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(processed)
    })
  )

  it.effect("and takes one again before the next entry, in order, when its cursor was moved", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const seen: Array<string> = []
      const [slow, other] = [freshStoreId(), freshStoreId()]
      const goOn = { [slow]: yield* Latch.make(false), [other]: yield* Latch.make(false) }
      const names = { [slow]: "slow", [other]: "other" }
      const handler = ({ payload, storeId }: SetInput) =>
        Effect.suspend(() => {
          seen.push(`${names[storeId]} ${payload.value}`)
          return goOn[storeId]!.await
        })
      const node = yield* startNode(servicesOf(backend), handlersOf(handler), { maxStores: 1 })
      yield* commit(backend, node, slow, setRecords(1, 2))
      yield* rest
      yield* commit(backend, node, other, setRecords(1, 1))
      yield* TestClock.adjust("100 millis")
      yield* rest
      expect(seen).toEqual(["slow 1", "other 1"])
      // The other store has the only turn now.
      yield* goOn[slow]!.open
      yield* node.processing.processed(slow, 1)
      yield* rest
      expect(seen).toEqual(["slow 1", "other 1"])
      yield* goOn[other]!.open
      yield* node.processing.processed(slow, 2)
      yield* node.processing.processed(other, 1)
      expect(seen).toEqual(["slow 1", "other 1", "slow 2"])
    })
  )

  it.effect("and keeps its page meanwhile", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const { pages, services } = watchReads(servicesOf(backend))
      const goOn = yield* Latch.make(false)
      const node = yield* startNode(
        services,
        handlersOf(() => goOn.await)
      )
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 20))
      yield* rest
      yield* TestClock.adjust("100 millis")
      yield* goOn.open
      yield* node.processing.processed(storeId, 20)
      expect(pages.filter((page) => page.length > 0).map((page) => page.length)).toEqual([20])
    })
  )

  it.effect("and lets go of its page where others keep theirs already, and reads on when it is done", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const { pages, services } = watchReads(servicesOf(backend))
      const goOn = yield* Latch.make(false)
      const seen: Array<number> = []
      const handler = ({ payload }: SetInput) =>
        Effect.suspend(() => {
          seen.push(payload.value)
          return payload.value === 2 ? goOn.await : Effect.void
        })
      const node = yield* startNode(services, handlersOf(handler), { limits: { maxPausedBytes: 1_000 } })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 20))
      yield* rest
      yield* TestClock.adjust("100 millis")
      yield* rest
      const [page = []] = pages.filter((page) => page.length > 0)
      // The first one was settled already, and the second one's handler is running.
      expect(yield* Effect.promise(() => countHeld(page.slice(2)))).toBe(0)
      yield* goOn.open
      yield* node.processing.processed(storeId, 20)
      expect(seen).toEqual(range(1, 20))
      expect(pages.filter((page) => page.length > 0).map((page) => page.length)).toEqual([20, 18])
    })
  )

  it.effect("and a handler whose time is up runs once, though its page was let go of", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const seen: Array<number> = []
      const handler = ({ payload }: SetInput) =>
        Effect.suspend(() => {
          seen.push(payload.value)
          return payload.value === 1 ? Effect.never : Effect.void
        })
      const node = yield* startNode(servicesOf(backend), handlersOf(handler), { limits: { maxPausedBytes: 0 } })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* rest
      yield* TestClock.adjust("30 seconds")
      yield* node.processing.processed(storeId, 3)
      expect(seen).toEqual([1, 2, 3])
    })
  )

  it.effect("and so does a reactivity listener that hangs, until its time is up", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const nothing = handlersOf(() => Effect.void)
      const node = yield* startNode(servicesOf(backend), nothing, { maxStores: 1 })
      yield* node.registry.registerReactivity({ Set: ["sets"] })
      const [slow, good] = [freshStoreId(), freshStoreId()]
      const { invalidate } = node.reactivity
      let told = 0
      Object.assign(node.reactivity, {
        invalidate: ((keys) => (told++ === 0 ? Effect.never : invalidate(keys))) satisfies typeof invalidate
      })
      yield* commit(backend, node, slow, setRecords(1, 2))
      yield* rest
      yield* commit(backend, node, good, setRecords(1, 1))
      yield* TestClock.adjust("100 millis")
      yield* node.processing.processed(good, 1)
      yield* TestClock.adjust("30 seconds")
      yield* node.processing.processed(slow, 2)
      expect(told).toBe(3)
    })
  )
})
