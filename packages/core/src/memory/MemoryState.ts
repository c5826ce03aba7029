import { EventJournal } from "effect/eventlog"
import type { KnownEntry } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { CompactionGroup, KeptFailure } from "../backend/StoreProgress.ts"
import { WakeupListeners } from "../backend/WakeupListeners.ts"
import { MemoryFeed } from "./MemoryFeed.ts"
import { SortedKeys } from "./SortedKeys.ts"

/** The feeds of a memory backend, and what stays of erased ones. */
export interface FeedState {
  id: EventJournal.RemoteId
  readonly feeds: Map<StoreId, MemoryFeed>
  readonly storeIds: SortedKeys<StoreId>
  /** Tombstones. They outlive everything else of a store. */
  readonly erased: Set<StoreId>
  readonly listeners: WakeupListeners
}

/** What a memory backend remembers about stores besides their entries. */
export interface ProgressState {
  readonly cursors: Map<StoreId, number>
  /** How far each store was processed that was rewound. */
  readonly replays: Map<StoreId, number>
  /** Where cursors are to be rewound to. */
  readonly rewinds: Map<StoreId, number>
  /** The token of each lease's holder: whoever holds another one lost it. */
  readonly holders: Map<StoreId, object>
  readonly groups: Map<StoreId, ReadonlyArray<CompactionGroup>>
  /** By sequence. */
  readonly failures: Map<StoreId, Map<number, KeptFailure>>
  /** Stores whose progress may not be used again. */
  readonly erased: ReadonlySet<StoreId>
}

export const makeFeedState = (): FeedState => ({
  id: EventJournal.makeRemoteIdUnsafe(),
  feeds: new Map(),
  storeIds: new SortedKeys(),
  erased: new Set(),
  listeners: new WakeupListeners()
})

export const makeProgressState = (erased: ReadonlySet<StoreId>): ProgressState => ({
  cursors: new Map(),
  replays: new Map(),
  rewinds: new Map(),
  holders: new Map(),
  groups: new Map(),
  failures: new Map(),
  erased
})

/** Whether an entry stands where it stood, in the history that it stood in. */
export const holds = ({ feeds, id }: FeedState, storeId: StoreId, known: KnownEntry): boolean =>
  known.remoteId?.every((byte, index) => byte === id[index]) !== false && feeds.get(storeId)?.holds(known) === true

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
