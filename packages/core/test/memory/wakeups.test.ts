import { describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { expect } from "vitest"
import { freshStoreId, makeRecords } from "../../src/conformance/fixtures.ts"
import { makeFeedStore } from "../../src/memory/feedStore.ts"
import { makeFeedState } from "../../src/memory/MemoryState.ts"

const setup = () => {
  const state = makeFeedState()
  return { state, feeds: makeFeedStore(state), storeId: freshStoreId() }
}

describe("wake-ups in memory", () => {
  it.effect("collapse while nobody takes them", () =>
    Effect.gen(function* () {
      const { feeds, storeId } = setup()
      const pull = yield* Stream.toPull(feeds.wakeups(storeId))
      yield* pull
      for (let commit = 0; commit < 100; commit++) yield* feeds.append(storeId, makeRecords(1))
      expect(yield* pull).toHaveLength(1)
    })
  )

  it.effect("leave nothing behind when their listeners are gone", () =>
    Effect.gen(function* () {
      const { feeds, state, storeId } = setup()
      const scope = yield* Scope.make()
      yield* Effect.flatten(Stream.toPull(feeds.wakeups(storeId))).pipe(Scope.provide(scope))
      expect(state.listeners.storeIds.length).toBe(1)
      yield* Scope.close(scope, Exit.void)
      expect(state.listeners.storeIds.length).toBe(0)
    })
  )

  it.effect("are not made by an append that stores nothing new", () =>
    Effect.gen(function* () {
      const { feeds, storeId } = setup()
      const records = makeRecords(2)
      yield* feeds.append(storeId, records)
      const pull = yield* Stream.toPull(feeds.wakeups(storeId))
      yield* pull
      const next = yield* Effect.forkChild(pull, { startImmediately: true })
      yield* feeds.append(storeId, records)
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      expect(next.pollUnsafe()).toBeUndefined()
      yield* feeds.append(storeId, makeRecords(1))
      expect(yield* Fiber.join(next)).toEqual([{ head: 3 }])
    })
  )
})
