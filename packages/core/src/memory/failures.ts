import { Clock, Effect } from "effect"
import type { StoreId } from "../backend/StoreId.ts"
import type { Failure, Failures, FailuresQuery, KeptFailure } from "../backend/StoreProgress.ts"
import type { ProgressState } from "./MemoryState.ts"

const keep = (storeId: StoreId, failure: Failure, before: KeptFailure | undefined, now: number): KeptFailure => ({
  ...failure,
  entryId: failure.entryId.slice(),
  storeId,
  attempts: (before?.attempts ?? 0) + 1,
  isDue: false,
  firstAt: before?.firstAt ?? now,
  lastAt: now
})

const record = (
  { erased, failures: stores }: ProgressState,
  storeId: StoreId,
  failures: ReadonlyArray<Failure>,
  now: number
): number => {
  if (erased.has(storeId)) return 0
  const kept = stores.get(storeId) ?? new Map<number, KeptFailure>()
  for (const failure of failures) {
    kept.set(failure.sequence, keep(storeId, failure, kept.get(failure.sequence), now))
  }
  if (kept.size > 0) stores.set(storeId, kept)
  return kept.size
}

const list = (
  { failures }: ProgressState,
  { after, isDue, limit, storeId }: FailuresQuery
): ReadonlyArray<KeptFailure> => {
  const isBehind = (failure: KeptFailure): boolean =>
    after === undefined ||
    failure.storeId > after.storeId ||
    (failure.storeId === after.storeId && failure.sequence > after.sequence)
  return [...failures]
    .filter(([id]) => storeId === undefined || storeId === id)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, kept]) => [...kept.values()].toSorted((a, b) => a.sequence - b.sequence))
    .filter((failure) => isBehind(failure) && (isDue === undefined || failure.isDue))
    .slice(0, limit)
    .map((failure) => ({ ...failure, entryId: failure.entryId.slice() }))
}

const retry = ({ failures }: ProgressState, storeId: StoreId, sequences: ReadonlyArray<number>): void => {
  const kept = failures.get(storeId)
  for (const sequence of sequences) {
    const failure = kept?.get(sequence)
    if (failure !== undefined) kept?.set(sequence, { ...failure, isDue: true })
  }
}

const settle = ({ failures }: ProgressState, storeId: StoreId, sequences: ReadonlyArray<number>): void => {
  const kept = failures.get(storeId)
  for (const sequence of sequences) kept?.delete(sequence)
  if (kept?.size === 0) failures.delete(storeId)
}

/** `StoreProgress.failures` in memory. */
export const makeFailures = (state: ProgressState): Failures => ({
  record: (storeId, failures) => Effect.map(Clock.currentTimeMillis, (now) => record(state, storeId, failures, now)),
  list: (query) => Effect.sync(() => list(state, query)),
  retry: (storeId, sequences) => Effect.sync(() => retry(state, storeId, sequences)),
  settle: (storeId, sequences) => Effect.sync(() => settle(state, storeId, sequences))
})
