import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import type { FeedAdmin, StoreHead } from "../backend/FeedAdmin.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { type FeedState, type ProgressState, wake } from "./MemoryState.ts"

const heads = (state: FeedState, after: StoreId | undefined, limit: number): ReadonlyArray<StoreHead> => {
  const page: Array<StoreHead> = []
  for (const storeId of state.storeIds.after(after)) {
    if (page.length >= limit) break
    const feed = state.feeds.get(storeId)
    if (feed !== undefined) page.push({ storeId, head: feed.head })
  }
  return page
}

const erase = (state: FeedState, progress: ProgressState, storeId: StoreId): void => {
  state.erased.add(storeId)
  state.feeds.delete(storeId)
  state.storeIds.delete(storeId)
  progress.cursors.delete(storeId)
  progress.holders.delete(storeId)
  progress.groups.delete(storeId)
  wake(state, storeId)
}

/** A `FeedAdmin` over feeds and progress in memory. */
export const makeFeedAdmin = (state: FeedState, progress: ProgressState): FeedAdmin["Service"] => ({
  heads: (after, limit) => Effect.sync(() => heads(state, after, limit)),
  erase: (storeId) => Effect.sync(() => erase(state, progress, storeId)),
  rotateId: Effect.sync(() => {
    state.id = EventJournal.makeRemoteIdUnsafe()
    return state.id.slice() as EventJournal.RemoteId
  })
})
