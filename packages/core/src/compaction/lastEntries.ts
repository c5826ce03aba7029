import { Effect } from "effect"
import type { BucketRange, FeedEntry, FeedStore } from "../backend/FeedStore.ts"
import type { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { LastBy } from "./compactors.ts"
import type { EligibleBucket } from "./plan.ts"

/** A range for each event of a bucket. */
const rangesOf = ({ last, range }: EligibleBucket): ReadonlyArray<BucketRange> =>
  range.events.map((event) => ({ ...range, events: [event], toSequence: last }))

/** The last entry of each range, of as many as fit, in one look or two. */
const lastOf = Effect.fnUntraced(function* (
  store: FeedStore["Service"],
  storeId: StoreId,
  ranges: ReadonlyArray<BucketRange>,
  { by, maxBytes }: LastOptions
): Effect.fn.Return<ReadonlyArray<FeedEntry | undefined>, StorageError> {
  const one = { maxEntries: 1, maxBytes: 1, maxTotalBytes: maxBytes }
  if (by === "id") {
    const found = yield* store.bucket(storeId, ranges, { order: "newest", ...one })
    return found.map(([entry]) => entry)
  }
  const bounds = yield* store.bucketBounds(storeId, ranges)
  const ends = ranges.map((range, index) => ({ ...range, fromSequence: bounds[index]?.last ?? range.toSequence }))
  const found = yield* store.bucket(storeId, ends, { order: "sequence", ...one })
  return found.map(([entry]) => entry)
})

/** Which entries are the last ones, and how much of them may be held. */
export interface LastOptions {
  readonly by: LastBy
  /** Bytes at most, unless those of the first bucket alone are more. */
  readonly maxBytes: number
}

/**
 * For each bucket the last eligible entry of each event, in sequence order: all that such a compactor needs. Of as many
 * buckets, from the first on, as fit: of one at least.
 */
export const lastEntries = Effect.fnUntraced(function* (
  store: FeedStore["Service"],
  storeId: StoreId,
  buckets: ReadonlyArray<EligibleBucket>,
  options: LastOptions
): Effect.fn.Return<ReadonlyMap<EligibleBucket, ReadonlyArray<FeedEntry>>, StorageError> {
  const ranges = buckets.map(rangesOf)
  const wanted = ranges.flat()
  const needed = ranges[0]?.length ?? 0
  const lasts: Array<FeedEntry | undefined> = []
  // A bucket whose events' last entries are more than fits is needed whole all the same.
  while (lasts.length < needed) lasts.push(...(yield* lastOf(store, storeId, wanted.slice(lasts.length), options)))
  const found = new Map<EligibleBucket, ReadonlyArray<FeedEntry>>()
  let end = 0
  for (const [index, bucket] of buckets.entries()) {
    const start = end
    end += ranges[index]!.length
    if (end > lasts.length) break
    const entries = lasts.slice(start, end).filter((entry) => entry !== undefined)
    found.set(
      bucket,
      entries.toSorted((a, b) => a.remoteSequence - b.remoteSequence)
    )
  }
  return found
})
