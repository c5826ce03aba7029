import { Effect } from "effect"
import type { BucketRange, FeedEntry, FeedStore } from "../ports/FeedStore.ts"
import type { StorageError } from "../ports/StorageError.ts"
import type { StoreId } from "../ports/StoreId.ts"
import type { CompactionGroup } from "../ports/StoreProgress.ts"

/** The eligible entries of one bucket: those of a group's events with one primary key, up to `toSequence`. */
export interface EligibleBucket {
  readonly group: CompactionGroup
  readonly range: BucketRange
  /** The sequence of its last eligible entry, which all of its outputs carry. */
  readonly last: number
}

/** For each eligible entry of a page, its bucket. Entries that aren't in here are sent as they are. */
export type Plan = ReadonlyMap<FeedEntry, EligibleBucket>

/** Finds the group of an event. */
export const groupsByEvent = (groups: ReadonlyArray<CompactionGroup>): ReadonlyMap<string, CompactionGroup> =>
  new Map(groups.flatMap((group) => group.events.map((event) => [event, group] as const)))

/** The greatest id of a millisecond: ids after it belong to entries that are younger. */
const lastIdOf = (millis: number): Uint8Array => {
  const id = new Uint8Array(16).fill(0xff)
  new DataView(id.buffer).setUint16(0, Math.floor(millis / 2 ** 32))
  new DataView(id.buffer).setUint32(2, millis % 2 ** 32)
  return id
}

interface Candidate {
  readonly group: CompactionGroup
  readonly range: BucketRange
  readonly entries: Array<FeedEntry>
}

/** The buckets that a page's old entries belong to, whole up to the head. */
const candidatesOf = (
  page: ReadonlyArray<FeedEntry>,
  groups: ReadonlyMap<string, CompactionGroup>,
  head: number
): ReadonlyArray<Candidate> => {
  const candidates = new Map<string, Candidate>()
  for (const feedEntry of page) {
    const { createdAtMillis, event, primaryKey } = feedEntry.entry
    const group = groups.get(event)
    if (group === undefined || createdAtMillis > group.cutoff) continue
    const key = JSON.stringify([group.events[0], primaryKey])
    const known = candidates.get(key)
    if (known !== undefined) known.entries.push(feedEntry)
    else {
      const range = { events: group.events, primaryKey, fromSequence: 1, toSequence: head }
      candidates.set(key, { group, range, entries: [feedEntry] })
    }
  }
  return [...candidates.values()]
}

/**
 * Decides what of a page is eligible: a bucket's entries up to the head and before, by sequence, its first entry that is
 * younger than the cut-off. By age alone, an old offline write that arrives late would carry the output past newer
 * entries and undo them.
 */
export const planPage = Effect.fnUntraced(function* (
  store: FeedStore["Service"],
  storeId: StoreId,
  page: ReadonlyArray<FeedEntry>,
  groups: ReadonlyMap<string, CompactionGroup>,
  head: number
): Effect.fn.Return<Plan, StorageError> {
  const plan = new Map<FeedEntry, EligibleBucket>()
  const candidates = candidatesOf(page, groups, head)
  if (candidates.length === 0) return plan
  const young = yield* store.bucketBounds(
    storeId,
    candidates.map(({ group, range }) => ({ ...range, afterId: lastIdOf(group.cutoff) }))
  )
  const ranges = candidates.map(({ range }, index) => ({
    ...range,
    toSequence: Math.min(range.toSequence, (young[index]?.first ?? Number.POSITIVE_INFINITY) - 1)
  }))
  const bounds = yield* store.bucketBounds(storeId, ranges)
  for (const [index, { entries, group }] of candidates.entries()) {
    const last = bounds[index]?.last
    if (last === undefined) continue
    const bucket: EligibleBucket = { group, range: ranges[index]!, last }
    for (const entry of entries) if (entry.remoteSequence <= last) plan.set(entry, bucket)
  }
  return plan
})
