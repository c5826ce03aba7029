import { Duration } from "effect"
import type { CompactionGroup, CutoffRequest } from "./StoreProgress.ts"

const minute = 60_000

const cutoffOf = (now: number, { olderThan }: CutoffRequest): number =>
  Math.max(0, Math.floor((now - Duration.toMillis(olderThan)) / minute) * minute)

const join = (
  groups: ReadonlyArray<CompactionGroup>,
  request: CutoffRequest,
  cutoff: number
): ReadonlyArray<CompactionGroup> => {
  const grouped = new Set(groups.flatMap(({ events }) => events))
  const fresh = Array.from(new Set(request.events)).filter((event) => !grouped.has(event))
  const raised = groups.map((group) =>
    cutoff > group.cutoff && group.events.some((event) => request.events.includes(event)) ? { ...group, cutoff } : group
  )
  return fresh.length === 0 ? raised : [...raised, { events: fresh, cutoff }]
}

/**
 * The rule of `StoreProgress.raiseCutoffs`, for storages: the groups after some requests, each in its place; those that no
 * request raised are the same objects.
 *
 * @param now by the backend's clock, in milliseconds since the epoch
 */
export const raiseGroups = (
  groups: ReadonlyArray<CompactionGroup>,
  requests: ReadonlyArray<CutoffRequest>,
  now: number
): ReadonlyArray<CompactionGroup> =>
  requests.reduce((groups, request) => join(groups, request, cutoffOf(now, request)), groups)
