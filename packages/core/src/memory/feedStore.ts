import { Effect, Stream } from "effect"
import { copyEntries } from "../backend/copyEntries.ts"
import type { FeedStore, KnownEntry } from "../backend/FeedStore.ts"
import { FeedLostError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { ensureFeed, type FeedState, holds } from "./MemoryState.ts"
import { findSurvivors } from "./survivors.ts"

const unlessErased = <A>(state: FeedState, storeId: StoreId, f: () => A): Effect.Effect<A, StoreErasedError> =>
  Effect.suspend(() =>
    state.erased.has(storeId) ? Effect.fail(new StoreErasedError({ storeId })) : Effect.succeed(f())
  )

/** Fails where the store was erased, or an entry isn't where it was. */
const unlessLost = <A>(
  state: FeedState,
  storeId: StoreId,
  known: KnownEntry | undefined,
  f: () => A
): Effect.Effect<A, StoreErasedError | FeedLostError> =>
  Effect.suspend(
    (): Effect.Effect<A, StoreErasedError | FeedLostError> =>
      known === undefined || state.erased.has(storeId) || holds(state, storeId, known)
        ? unlessErased(state, storeId, f)
        : Effect.fail(new FeedLostError({ storeId, sequence: known.sequence }))
  )

/** A `FeedStore` over feeds in memory. Nothing suspends, so every member is atomic. */
export const makeFeedStore = (state: FeedState): FeedStore["Service"] => ({
  append: (storeId, records, known) =>
    unlessLost(state, storeId, known, () => {
      if (records.length === 0) return []
      const feed = ensureFeed(state, storeId)
      const before = feed.end
      const appended = feed.append(records)
      if (feed.end > before) state.listeners.wake(storeId, { head: feed.end })
      return appended
    }),
  read: (storeId, from, options, known) =>
    unlessLost(state, storeId, known, () => state.feeds.get(storeId)?.page(from, options) ?? { entries: [], head: 0 }),
  head: (storeId) =>
    unlessErased(state, storeId, () => state.feeds.get(storeId)?.head ?? { sequence: 0, greatestId: undefined }),
  bucket: (storeId, ranges, selection) =>
    Effect.sync(() => {
      const feed = state.feeds.get(storeId)
      return feed === undefined ? ranges.map(() => []) : feed.buckets.selectAll(ranges, selection).map(copyEntries)
    }),
  bucketBounds: (storeId, ranges) =>
    Effect.sync(() => {
      const feed = state.feeds.get(storeId)
      return ranges.map((range) => feed?.buckets.bounds(range))
    }),
  survivors: (storeId, request) =>
    Effect.sync(() => {
      const feed = state.feeds.get(storeId)
      return feed === undefined ? { toSequence: 0, pages: Stream.empty } : findSurvivors(feed, request)
    }),
  wakeups: (storeId) => state.listeners.wakeups(storeId)
})
