import { Clock, Effect, Option } from "effect"
import { raiseGroups } from "../backend/cutoffs.ts"
import type { KnownEntry } from "../backend/FeedStore.ts"
import { FeedLostError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { type Lease, LeaseLostError, type StoreProgress } from "../backend/StoreProgress.ts"
import { makeFailures } from "./failures.ts"
import { type FeedState, holds, type ProgressState } from "./MemoryState.ts"

/** Whether a store's feed holds an entry where it was. */
export type Holds = (storeId: StoreId, known: KnownEntry) => boolean

const take = (state: ProgressState, storeId: StoreId): object | undefined => {
  if (state.erased.has(storeId) || state.holders.has(storeId)) return undefined
  const token = {}
  state.holders.set(storeId, token)
  return token
}

const giveBack = (state: ProgressState, storeId: StoreId, token: object): void => {
  if (state.holders.get(storeId) === token) state.holders.delete(storeId)
}

/** Moves a cursor back to where it is wanted. */
const rewind = ({ cursors, failures, replays, rewinds }: ProgressState, storeId: StoreId): void => {
  const to = rewinds.get(storeId)
  const from = cursors.get(storeId) ?? 0
  if (to === undefined) return
  rewinds.delete(storeId)
  if (to >= from) return
  replays.set(storeId, Math.max(from, replays.get(storeId) ?? 0))
  cursors.set(storeId, to)
  const kept = failures.get(storeId)
  for (const sequence of kept?.keys() ?? []) if (sequence > to) kept?.delete(sequence)
  if (kept?.size === 0) failures.delete(storeId)
}

const leaseOf = (state: ProgressState, holds: Holds, storeId: StoreId, token: object): Lease => {
  const cursor = () => state.cursors.get(storeId) ?? 0
  const isHeld = () => state.holders.get(storeId) === token
  return {
    cursor: cursor(),
    replayTo: state.replays.get(storeId) ?? 0,
    rewindTo: state.rewinds.get(storeId),
    rewind: (work) =>
      Effect.flatMap(work(Effect.exit), () => {
        if (!isHeld()) return Effect.fail(new LeaseLostError({ storeId }))
        rewind(state, storeId)
        return Effect.void
      }),
    advance: (processed) =>
      Effect.suspend((): Effect.Effect<void, LeaseLostError | FeedLostError> => {
        if (!isHeld() || state.rewinds.has(storeId)) return Effect.fail(new LeaseLostError({ storeId }))
        const { sequence } = processed
        if (!holds(storeId, processed)) return Effect.fail(new FeedLostError({ storeId, sequence }))
        if (sequence > cursor()) state.cursors.set(storeId, sequence)
        return Effect.void
      })
  }
}

/** What is kept of progress in memory, whatever the feeds are kept in. */
export const makeProgress = (state: ProgressState, holds: Holds): Omit<StoreProgress["Service"], "behind"> => ({
  lease: (storeId) =>
    Effect.acquireRelease(
      Effect.sync(() => take(state, storeId)),
      (token) => Effect.sync(() => token && giveBack(state, storeId, token))
    ).pipe(Effect.map((token) => Option.fromUndefinedOr(token && leaseOf(state, holds, storeId, token)))),
  cursors: (storeIds) =>
    Effect.sync(() =>
      storeIds.map((storeId) => {
        const cursor = state.cursors.get(storeId) ?? 0
        return Math.min(cursor, state.rewinds.get(storeId) ?? cursor)
      })
    ),
  rewind: (storeId, to) =>
    Effect.sync(() => {
      if (state.erased.has(storeId)) return
      state.rewinds.set(storeId, Math.min(to, state.rewinds.get(storeId) ?? to))
    }),
  raiseCutoffs: (storeId, requests) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      if (state.erased.has(storeId)) return []
      const groups = raiseGroups(state.groups.get(storeId) ?? [], requests, now)
      state.groups.set(storeId, groups)
      return groups
    }),
  failures: makeFailures(state)
})

const behind = (
  feeds: FeedState,
  { cursors, rewinds }: ProgressState,
  after: StoreId | undefined,
  limit: number
): ReadonlyArray<StoreId> => {
  const page: Array<StoreId> = []
  for (const storeId of feeds.storeIds.after(after)) {
    if (page.length >= limit) break
    const isAtHead = feeds.feeds.get(storeId)?.end === (cursors.get(storeId) ?? 0)
    if (!isAtHead || rewinds.has(storeId)) page.push(storeId)
  }
  return page
}

/** A `StoreProgress` over progress and feeds in memory. */
export const makeStoreProgress = (state: ProgressState, feeds: FeedState): StoreProgress["Service"] => ({
  ...makeProgress(state, (storeId, known) => holds(feeds, storeId, known)),
  behind: (after, limit) => Effect.sync(() => behind(feeds, state, after, limit))
})
