import { Effect } from "effect"
import type { BucketRange, FeedEntry, FeedStore } from "../backend/FeedStore.ts"
import type { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { LastBy } from "./compactors.ts"
import type { EligibleBucket } from "./plan.ts"

/** Entries that are looked for at a time: each may be as large as an entry can be. */
const maxRanges = 64

/** A range for each event of a bucket. */
const rangesOf = ({ last, range }: EligibleBucket): ReadonlyArray<BucketRange> =>
  range.events.map((event) => ({ ...range, events: [event], toSequence: last }))

const one = { maxEntries: 1, maxBytes: 1 }

/** The last entry of each range, those of a chunk in one look or two. */
const lastOf = Effect.fnUntraced(function* (
  store: FeedStore["Service"],
  storeId: StoreId,
  ranges: ReadonlyArray<BucketRange>,
  by: LastBy
): Effect.fn.Return<ReadonlyArray<FeedEntry | undefined>, StorageError> {
  if (by === "id") {
    const found = yield* store.bucket(storeId, ranges, { order: "newest", ...one })
    return found.map(([entry]) => entry)
  }
  const bounds = yield* store.bucketBounds(storeId, ranges)
  const ends = ranges.map((range, index) => ({ ...range, fromSequence: bounds[index]?.last ?? range.toSequence }))
  const found = yield* store.bucket(storeId, ends, { order: "sequence", ...one })
  return found.map(([entry]) => entry)
})

/** For each bucket the last eligible entry of each event, in sequence order: all that such a compactor needs. */
export const lastEntries = Effect.fnUntraced(function* (
  store: FeedStore["Service"],
  storeId: StoreId,
  buckets: ReadonlyArray<EligibleBucket>,
  by: LastBy
): Effect.fn.Return<ReadonlyMap<EligibleBucket, ReadonlyArray<FeedEntry>>, StorageError> {
  const wanted = buckets.flatMap((bucket) => rangesOf(bucket).map((range) => ({ bucket, range })))
  const found = new Map(buckets.map((bucket) => [bucket, [] as Array<FeedEntry>]))
  for (let start = 0; start < wanted.length; start += maxRanges) {
    const chunk = wanted.slice(start, start + maxRanges)
    const lasts = yield* lastOf(
      store,
      storeId,
      chunk.map(({ range }) => range),
      by
    )
    for (const [index, entry] of lasts.entries()) {
      if (entry !== undefined) found.get(chunk[index]!.bucket)!.push(entry)
    }
  }
  for (const entries of found.values()) entries.sort((a, b) => a.remoteSequence - b.remoteSequence)
  return found
})
