import type { FeedEntry, SurvivorsRequest } from "../backend/FeedStore.ts"
import type { CompactionGroup } from "../backend/StoreProgress.ts"
import type { Compactors } from "./compactors.ts"
import { lastIdOf } from "./plan.ts"

/** Which beginning of a feed is compacted to its last entries, whatever else is in it. */
export type Beginning = Pick<SurvivorsRequest, "groups" | "toId">

/**
 * The beginning that compactors which need only last entries make of a feed that begins with some entries; `undefined` where
 * those already show that there is none.
 */
export const beginningOf = (
  groups: ReadonlyArray<CompactionGroup>,
  compactors: Compactors,
  first: ReadonlyArray<FeedEntry>
): Beginning | undefined => {
  const found = groups.flatMap((group) => {
    const by = compactors.covering(group)?.needsOnlyLastBy
    return by === undefined ? [] : [{ by, cutoff: group.cutoff, events: group.events }]
  })
  // What is old enough for one may be too young for another.
  const cutoff = Math.min(...found.map((group) => group.cutoff))
  const events = new Set(found.flatMap((group) => group.events))
  const isOld = ({ entry }: FeedEntry): boolean => events.has(entry.event) && entry.createdAtMillis <= cutoff
  return first.length > 0 && first.every(isOld) ? { groups: found, toId: lastIdOf(cutoff) } : undefined
}
