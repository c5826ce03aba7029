import { EventJournal } from "effect/eventlog"
import type { StoreId } from "../backend/StoreId.ts"
import type { CompactionGroup } from "../backend/StoreProgress.ts"
import { MemoryFeed } from "./MemoryFeed.ts"
import { SortedKeys } from "./SortedKeys.ts"

/** The feeds of a memory backend, and what stays of erased ones. */
export interface FeedState {
  id: EventJournal.RemoteId
  readonly feeds: Map<StoreId, MemoryFeed>
  readonly storeIds: SortedKeys<StoreId>
  /** Tombstones. They outlive everything else of a store. */
  readonly erased: Set<StoreId>
  readonly listeners: Map<StoreId, Set<() => void>>
}

/** What a memory backend remembers about stores besides their entries. */
export interface ProgressState {
  readonly cursors: Map<StoreId, number>
  /** The token of each lease's holder: whoever holds another one lost it. */
  readonly holders: Map<StoreId, object>
  readonly groups: Map<StoreId, ReadonlyArray<CompactionGroup>>
  /** Stores whose progress may not be used again. */
  readonly erased: ReadonlySet<StoreId>
}

export const makeFeedState = (): FeedState => ({
  id: EventJournal.makeRemoteIdUnsafe(),
  feeds: new Map(),
  storeIds: new SortedKeys(),
  erased: new Set(),
  listeners: new Map()
})

export const makeProgressState = (erased: ReadonlySet<StoreId>): ProgressState => ({
  cursors: new Map(),
  holders: new Map(),
  groups: new Map(),
  erased
})

/** Tells everybody who listens to the store that its head may have moved. */
export const wake = (state: FeedState, storeId: StoreId): void => {
  for (const listener of state.listeners.get(storeId) ?? []) listener()
}

/** The feed of a store that is about to get an entry. */
export const ensureFeed = (state: FeedState, storeId: StoreId): MemoryFeed => {
  let feed = state.feeds.get(storeId)
  if (feed === undefined) {
    feed = new MemoryFeed()
    state.feeds.set(storeId, feed)
    state.storeIds.add(storeId)
  }
  return feed
}
