import { Effect, Queue, Stream } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { FeedStore } from "../backend/FeedStore.ts"
import { StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { copiesOf } from "./MemoryFeed.ts"
import { ensureFeed, type FeedState, wake } from "./MemoryState.ts"

const unlessErased = <A>(state: FeedState, storeId: StoreId, f: () => A): Effect.Effect<A, StoreErasedError> =>
  Effect.suspend(() =>
    state.erased.has(storeId) ? Effect.fail(new StoreErasedError({ storeId })) : Effect.succeed(f())
  )

const wakeups = (state: FeedState, storeId: StoreId): Stream.Stream<void> =>
  Stream.callback<void>(
    (queue) => {
      const listener = () => {
        Queue.offerUnsafe(queue, undefined)
      }
      return Effect.acquireRelease(
        Effect.sync(() => {
          listen(state, storeId, listener)
          listener()
        }),
        () => Effect.sync(() => unlisten(state, storeId, listener))
      )
    },
    { bufferSize: 1, strategy: "dropping" }
  )

const listen = (state: FeedState, storeId: StoreId, listener: () => void): void => {
  const listeners = state.listeners.get(storeId)
  if (listeners === undefined) state.listeners.set(storeId, new Set([listener]))
  else listeners.add(listener)
}

const unlisten = (state: FeedState, storeId: StoreId, listener: () => void): void => {
  const listeners = state.listeners.get(storeId)
  listeners?.delete(listener)
  if (listeners?.size === 0) state.listeners.delete(storeId)
}

/** A `FeedStore` over feeds in memory. Nothing suspends, so every member is atomic. */
export const makeFeedStore = (state: FeedState): FeedStore["Service"] => ({
  id: Effect.sync(() => state.id.slice() as EventJournal.RemoteId),
  append: (storeId, records) =>
    unlessErased(state, storeId, () => {
      if (records.length === 0) return []
      const feed = ensureFeed(state, storeId)
      const before = feed.head
      const appended = feed.append(records)
      if (feed.head > before) wake(state, storeId)
      return appended
    }),
  read: (storeId, from, limits, sieve) =>
    unlessErased(state, storeId, () => state.feeds.get(storeId)?.page(from, limits, sieve) ?? { entries: [], head: 0 }),
  bucket: (storeId, ranges, selection) =>
    Effect.sync(() => {
      const feed = state.feeds.get(storeId)
      return feed === undefined ? ranges.map(() => []) : feed.buckets.selectAll(ranges, selection).map(copiesOf)
    }),
  bucketBounds: (storeId, ranges) =>
    Effect.sync(() => {
      const feed = state.feeds.get(storeId)
      return ranges.map((range) => feed?.buckets.bounds(range))
    }),
  greatestId: (storeId) => Effect.sync(() => state.feeds.get(storeId)?.greatestId),
  wakeups: (storeId) => wakeups(state, storeId)
})
