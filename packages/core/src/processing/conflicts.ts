import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import type { BucketRange, FeedEntry, FeedStore } from "../backend/FeedStore.ts"
import type { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { defaultLimits } from "../wire/limits.ts"

type Entry = EventJournal.Entry

/** Bytes of the conflicts of one event and primary key that are looked up for a page: those of a page. */
const maxConflictBytes = defaultLimits.maxPageBytes

/** What conflicts are looked for. */
export interface ConflictOptions {
  /** How many conflicts an entry has at most: those with the greatest ids. */
  readonly maxConflicts: number
  /** No entry below the page has a greater id than this; `undefined`: nothing is known of them. */
  readonly greatestBelow: EventJournal.EntryId | undefined
  /** Whether the event's conflicts matter to anybody. */
  readonly isHandled: (event: string) => boolean
}

/** The entries of one event and primary key that may be conflicts, in id order. */
interface Bucket {
  readonly event: string
  readonly primaryKey: string
  /** The least id of the page's entries: only a greater one can conflict with any of them. */
  leastId: EventJournal.EntryId
  readonly candidates: Array<Entry>
}

const isLess = (a: EventJournal.EntryId, b: EventJournal.EntryId): boolean => EventJournal.EntryIdOrder(a, b) < 0

/** Where an id's place is among entries in id order. */
const placeOf = (entries: ReadonlyArray<Entry>, id: EventJournal.EntryId): number => {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const candidate = entries[middle]
    if (candidate !== undefined && isLess(candidate.id, id)) low = middle + 1
    else high = middle
  }
  return low
}

/** The buckets of a page, by event and primary key. */
const bucketsOf = (entries: ReadonlyArray<FeedEntry>): Map<string, Map<string, Bucket>> => {
  const buckets = new Map<string, Map<string, Bucket>>()
  for (const { entry } of entries) {
    const { event, id, primaryKey } = entry
    const ofEvent = buckets.get(event) ?? new Map<string, Bucket>()
    buckets.set(event, ofEvent)
    const bucket = ofEvent.get(primaryKey)
    if (bucket === undefined) ofEvent.set(primaryKey, { event, primaryKey, leastId: id, candidates: [] })
    else if (isLess(id, bucket.leastId)) bucket.leastId = id
  }
  return buckets
}

/** Fills each bucket with the feed's entries below the page, so that the page's own can't use up the limit. */
const fill = Effect.fnUntraced(function* (
  feeds: FeedStore["Service"],
  storeId: StoreId,
  buckets: ReadonlyArray<Bucket>,
  pageStart: number,
  maxEntries: number
) {
  if (pageStart === 1 || buckets.length === 0 || maxEntries === 0) return
  const ranges = buckets.map(
    ({ event, leastId, primaryKey }): BucketRange => ({
      events: [event],
      primaryKey,
      fromSequence: 1,
      toSequence: pageStart - 1,
      afterId: leastId,
      replayableOnly: true
    })
  )
  const found = yield* feeds.bucket(storeId, ranges, { order: "newest", maxEntries, maxBytes: maxConflictBytes })
  for (const [index, { candidates }] of buckets.entries()) {
    candidates.push(...(found[index] ?? []).map(({ entry }) => entry).reverse())
  }
})

/**
 * The conflicts of each entry of a page, in the page's order: the replayable entries of the same event and primary key
 * with a lower sequence and a greater id, in id order, and of those the newest: `maxConflicts`, and of what lies below the
 * page no more bytes than a page holds. One query for the whole page, and none where all ids are greater than those below.
 */
export const conflictsOf = Effect.fnUntraced(function* (
  feeds: FeedStore["Service"],
  storeId: StoreId,
  page: ReadonlyArray<FeedEntry>,
  { greatestBelow, isHandled, maxConflicts }: ConflictOptions
): Effect.fn.Return<ReadonlyArray<ReadonlyArray<Entry>>, StorageError> {
  const matters = ({ entry, transportOnly }: FeedEntry) => !transportOnly && isHandled(entry.event)
  const buckets = bucketsOf(page.filter(matters))
  const mayConflict = ({ leastId }: Bucket) => greatestBelow === undefined || isLess(leastId, greatestBelow)
  const inDoubt = Array.from(buckets.values()).flatMap((ofEvent) => Array.from(ofEvent.values()).filter(mayConflict))
  yield* fill(feeds, storeId, inDoubt, page[0]?.remoteSequence ?? 1, maxConflicts)

  return page.map((feedEntry) => {
    const { entry } = feedEntry
    const candidates = buckets.get(entry.event)?.get(entry.primaryKey)?.candidates
    if (candidates === undefined || !matters(feedEntry)) return []
    const place = placeOf(candidates, entry.id)
    const conflicts = candidates.slice(Math.max(place, candidates.length - maxConflicts))
    candidates.splice(place, 0, entry)
    return conflicts
  })
})
