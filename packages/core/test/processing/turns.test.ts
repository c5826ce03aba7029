import { describe, it } from "@effect/vitest"
import { Deferred, Effect, Latch } from "effect"
import { expect } from "vitest"
import { commit, freshStoreId, handlersOf, makeBackend, range, setRecords, startNode } from "./harness.ts"

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
        { maxStores: 1, pageLimits: { maxEntries: 2, maxBytes: 10_000 } }
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
