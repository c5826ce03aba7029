import type { CompactionGroup, CutoffRequest } from "@eventlog-server/core"
import { Duration } from "effect"

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

/** The groups after some requests, each in its place; those that no request raised are the same objects. */
export const raise = (
  groups: ReadonlyArray<CompactionGroup>,
  requests: ReadonlyArray<CutoffRequest>,
  now: number
): ReadonlyArray<CompactionGroup> =>
  requests.reduce((groups, request) => join(groups, request, cutoffOf(now, request)), groups)
