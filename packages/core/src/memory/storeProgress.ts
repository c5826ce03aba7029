import { Clock, Duration, Effect, Layer, Option } from "effect"
import type { StoreId } from "../backend/StoreId.ts"
import {
  type CompactionGroup,
  type CutoffRequest,
  type Lease,
  LeaseLostError,
  StoreProgress
} from "../backend/StoreProgress.ts"
import { makeProgressState, type ProgressState } from "./MemoryState.ts"

const take = (state: ProgressState, storeId: StoreId): object | undefined => {
  if (state.erased.has(storeId) || state.holders.has(storeId)) return undefined
  const token = {}
  state.holders.set(storeId, token)
  return token
}

const giveBack = (state: ProgressState, storeId: StoreId, token: object): void => {
  if (state.holders.get(storeId) === token) state.holders.delete(storeId)
}

const leaseOf = (state: ProgressState, storeId: StoreId, token: object): Lease => {
  const cursor = () => state.cursors.get(storeId) ?? 0
  return {
    cursor: cursor(),
    advance: (sequence) =>
      Effect.suspend(() => {
        if (state.holders.get(storeId) !== token) return Effect.fail(new LeaseLostError({ storeId }))
        if (sequence > cursor()) state.cursors.set(storeId, sequence)
        return Effect.void
      })
  }
}

const minute = 60_000

const cutoffOf = (now: number, request: CutoffRequest): number =>
  Math.max(0, Math.floor((now - Duration.toMillis(request.olderThan)) / minute) * minute)

const raise = (
  groups: ReadonlyArray<CompactionGroup>,
  request: CutoffRequest,
  cutoff: number
): ReadonlyArray<CompactionGroup> => {
  const grouped = new Set(groups.flatMap((group) => group.events))
  const fresh = Array.from(new Set(request.events)).filter((event) => !grouped.has(event))
  const raised = groups.map((group) =>
    group.events.some((event) => request.events.includes(event))
      ? { ...group, cutoff: Math.max(group.cutoff, cutoff) }
      : group
  )
  return fresh.length === 0 ? raised : [...raised, { events: fresh, cutoff }]
}

/** A `StoreProgress` over progress in memory. */
export const makeStoreProgress = (state: ProgressState): StoreProgress["Service"] => ({
  lease: (storeId) =>
    Effect.acquireRelease(
      Effect.sync(() => take(state, storeId)),
      (token) => Effect.sync(() => token && giveBack(state, storeId, token))
    ).pipe(Effect.map((token) => Option.fromUndefinedOr(token && leaseOf(state, storeId, token)))),
  cursors: (storeIds) => Effect.sync(() => storeIds.map((storeId) => state.cursors.get(storeId) ?? 0)),
  raiseCutoffs: (storeId, requests) =>
    Clock.currentTimeMillis.pipe(
      Effect.map((now) => {
        if (state.erased.has(storeId)) return []
        const groups = requests.reduce(
          (groups, request) => raise(groups, request, cutoffOf(now, request)),
          state.groups.get(storeId) ?? []
        )
        state.groups.set(storeId, groups)
        return groups
      })
    )
})

/**
 * Progress that lives as long as the server: each build of the layer starts at 0, so that every node replays every store
 * from its first entry. It is for apps whose projections live in memory too, in place of the backend's own progress.
 *
 * It holds a number for each store that was ever processed, also for those erased since.
 */
export const memoryProgress: Layer.Layer<StoreProgress> = Layer.sync(StoreProgress, () =>
  makeStoreProgress(makeProgressState(new Set()))
)
