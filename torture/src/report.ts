import { excerpt } from "./oracle/excerpt.ts"
import type { Evidence, Violation } from "./oracle/history.ts"
import { allOf } from "./oracle/select.ts"

/** The last line of a run. Every entry that was acknowledged or delivered counts, each time. */
export const summary = (evidence: Evidence, faults: number, violations: number): string => {
  const sizes = new Map(allOf(evidence, "sent").map(({ ids, request }) => [request, ids.length]))
  const acks = allOf(evidence, "acked").reduce((sum, { request }) => sum + (sizes.get(request) ?? 0), 0)
  const deliveries = allOf(evidence, "delivered").reduce((sum, { entries }) => sum + entries.length, 0)
  return `${acks} acks, ${deliveries} deliveries, ${faults} faults, ${violations} violations`
}

/** A violation with the shortest history around it, as lines. */
export const describe = ({ history }: Evidence, violation: Violation): ReadonlyArray<string> => [
  `VIOLATION of ${violation.rule}: ${violation.message}`,
  ...excerpt(history, violation)
]
