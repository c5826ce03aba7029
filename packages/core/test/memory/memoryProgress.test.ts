import { describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { expect } from "vitest"
import { FeedStore } from "../../src/backend/FeedStore.ts"
import type { StoreId } from "../../src/backend/StoreId.ts"
import { StoreProgress } from "../../src/backend/StoreProgress.ts"
import { freshStoreId, knownAt, makeRecords } from "../../src/conformance/fixtures.ts"
import { layerOf, makeMemoryState } from "../../src/memory/backend.ts"
import { MemoryFeed } from "../../src/memory/MemoryFeed.ts"
import { memoryProgress } from "../../src/memory/memoryProgress.ts"

const onMemory = (state = makeMemoryState()) =>
  memoryProgress.pipe(
    Layer.provideMerge(layerOf(state)),
    (layer) =>
      <A, E>(effect: Effect.Effect<A, E, FeedStore | StoreProgress>) =>
        Effect.provide(effect, layer, { local: true })
  )

const advanceFrom = Effect.fnUntraced(function* (storeId: StoreId, from: number, to: number) {
  const progress = yield* StoreProgress
  const lease = yield* progress.lease(storeId)
  if (Option.isNone(lease)) return yield* Effect.die("not taken")
  expect(lease.value.cursor).toBe(from)
  yield* lease.value.advance(yield* knownAt(yield* FeedStore, storeId, to))
  expect(yield* progress.cursors([storeId])).toEqual([to])
}, Effect.scoped)

describe("memoryProgress", () => {
  it.effect("starts over with each build", () => {
    const storeId = freshStoreId()
    const run = Effect.gen(function* () {
      yield* (yield* FeedStore).append(storeId, makeRecords(5))
      yield* advanceFrom(storeId, 0, 5)
    }).pipe(onMemory())
    return Effect.andThen(run, run)
  })

  it.effect("lists the stores that are behind by its own cursors", () =>
    Effect.gen(function* () {
      const stores = [freshStoreId(), freshStoreId(), freshStoreId()]
      const progress = yield* StoreProgress
      for (const storeId of stores) yield* (yield* FeedStore).append(storeId, makeRecords(2))
      yield* advanceFrom(stores[0]!, 0, 2)
      yield* advanceFrom(stores[1]!, 0, 1)
      const all = stores.slice(1).toSorted()
      expect(yield* progress.behind(undefined, 10)).toEqual(all)
      expect(yield* progress.behind(undefined, 1)).toEqual(all.slice(0, 1))
      expect(yield* progress.behind(all[0], 10)).toEqual(all.slice(1))
    }).pipe(onMemory())
  )

  it.effect("replays a store whose feed lost what was processed, though it has grown since", () => {
    const state = makeMemoryState()
    const storeId = freshStoreId()
    return Effect.gen(function* () {
      const feeds = yield* FeedStore
      yield* feeds.append(storeId, makeRecords(5))
      yield* advanceFrom(storeId, 0, 5)
      yield* advanceFrom(storeId, 5, 5)
      state.feeds.feeds.set(storeId, new MemoryFeed())
      yield* feeds.append(storeId, makeRecords(7))
      yield* advanceFrom(storeId, 0, 7)
    }).pipe(onMemory(state))
  })
})
