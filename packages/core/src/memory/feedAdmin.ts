import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import type { FeedAdmin, Rotation, StoreHead } from "../backend/FeedAdmin.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { FeedState, ProgressState } from "./MemoryState.ts"

const heads = (
  state: FeedState,
  progress: ProgressState,
  after: StoreId | undefined,
  limit: number
): ReadonlyArray<StoreHead> => {
  const page: Array<StoreHead> = []
  for (const storeId of state.storeIds.after(after)) {
    if (page.length >= limit) break
    const feed = state.feeds.get(storeId)
    if (feed !== undefined) page.push({ storeId, head: feed.end, processed: progress.cursors.get(storeId) ?? 0 })
  }
  return page
}

const rotate = (state: FeedState, expected: EventJournal.RemoteId): Rotation => {
  const isNew = state.id.every((byte, index) => byte === expected[index])
  if (isNew) state.id = EventJournal.makeRemoteIdUnsafe()
  return { id: state.id.slice() as EventJournal.RemoteId, isNew }
}

const erase = (state: FeedState, progress: ProgressState, storeId: StoreId): void => {
  state.erased.add(storeId)
  state.feeds.delete(storeId)
  state.storeIds.delete(storeId)
  progress.cursors.delete(storeId)
  progress.replays.delete(storeId)
  progress.rewinds.delete(storeId)
  progress.holders.delete(storeId)
  progress.groups.delete(storeId)
  progress.failures.delete(storeId)
  state.listeners.wake(storeId)
}

/** A `FeedAdmin` over feeds and progress in memory. */
export const makeFeedAdmin = (state: FeedState, progress: ProgressState): FeedAdmin["Service"] => ({
  id: Effect.sync(() => state.id.slice() as EventJournal.RemoteId),
  rotateId: (expected) => Effect.sync(() => rotate(state, expected)),
  check: Effect.void,
  heads: (after, limit) => Effect.sync(() => heads(state, progress, after, limit)),
  erase: (storeId) => Effect.sync(() => erase(state, progress, storeId))
})
