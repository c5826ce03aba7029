import { EventJournal } from "effect/eventlog"
import type {
  BucketBounds,
  BucketRange,
  BucketSelection,
  FeedEntry,
  PageLimits,
  SurvivingEvents,
  Survivor
} from "../backend/FeedStore.ts"
import { entryBytes } from "../wire/fields.ts"

interface Bucket {
  readonly bySequence: Array<FeedEntry>
  readonly byId: Array<FeedEntry>
}

/** Where the first entry stands that is not before what is looked for. */
const lowerBound = (entries: ReadonlyArray<FeedEntry>, isBefore: (entry: FeedEntry) => boolean): number => {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(entries[middle]!)) low = middle + 1
    else high = middle
  }
  return low
}

const bySequence = (a: FeedEntry, b: FeedEntry): number => a.remoteSequence - b.remoteSequence

const compareIds = (a: Uint8Array, b: Uint8Array): number =>
  EventJournal.EntryIdOrder(a as EventJournal.EntryId, b as EventJournal.EntryId)

const byNewest = (a: FeedEntry, b: FeedEntry): number => compareIds(b.entry.id, a.entry.id)

const isIn = (range: BucketRange, entry: FeedEntry): boolean =>
  entry.remoteSequence >= range.fromSequence &&
  entry.remoteSequence <= range.toSequence &&
  !(range.replayableOnly && entry.transportOnly) &&
  (range.afterId === undefined || compareIds(entry.entry.id, range.afterId) > 0)

/** The entries of one feed by event and primary key, ordered by sequence and by id. */
export class BucketIndex {
  readonly #byEvent = new Map<string, Map<string, Bucket>>()

  /** Adds the entry with the greatest sequence so far. */
  add(entry: FeedEntry): void {
    const byKey = this.#ensure(entry.entry.event)
    const bucket = byKey.get(entry.entry.primaryKey)
    // Most keys have one entry, and an array that it is pushed to has room for sixteen more.
    if (bucket === undefined) return void byKey.set(entry.entry.primaryKey, { bySequence: [entry], byId: [entry] })
    bucket.bySequence.push(entry)
    const isBefore = (other: FeedEntry): boolean => compareIds(other.entry.id, entry.entry.id) < 0
    // Most are written soon after they were made.
    if (isBefore(bucket.byId[bucket.byId.length - 1]!)) bucket.byId.push(entry)
    else bucket.byId.splice(lowerBound(bucket.byId, isBefore), 0, entry)
  }

  /** The entries of as many ranges, from the first on, as fit together. */
  selectAll(ranges: ReadonlyArray<BucketRange>, selection: BucketSelection): ReadonlyArray<ReadonlyArray<FeedEntry>> {
    const { maxTotalBytes = Number.POSITIVE_INFINITY } = selection
    const found: Array<ReadonlyArray<FeedEntry>> = []
    let total = 0
    for (const range of ranges) {
      const entries = this.#select(range, selection)
      total += entries.reduce((sum, { entry }) => sum + entryBytes(entry), 0)
      if (found.length > 0 && total > maxTotalBytes) break
      found.push(entries)
    }
    return found
  }

  #select(range: BucketRange, selection: BucketSelection): ReadonlyArray<FeedEntry> {
    const newest = selection.order === "newest"
    // Which entries fit is known when those of all events are in order: bytes counted before would leave out one between.
    const some = { maxEntries: selection.maxEntries, maxBytes: Number.POSITIVE_INFINITY }
    const found = this.#bucketsOf(range).flatMap((bucket) =>
      take(newest ? newestIn(bucket, range) : oldestIn(bucket, range), some)
    )
    return take(found.sort(newest ? byNewest : bySequence), selection)
  }

  bounds(range: BucketRange): BucketBounds | undefined {
    let bounds: BucketBounds | undefined
    for (const bucket of this.#bucketsOf(range)) {
      for (const { remoteSequence } of range.afterId === undefined ? endsOf(bucket, range) : newestIn(bucket, range)) {
        bounds = {
          first: Math.min(remoteSequence, bounds?.first ?? remoteSequence),
          last: Math.max(remoteSequence, bounds?.last ?? remoteSequence)
        }
      }
    }
    return bounds
  }

  /** For each primary key of an event, its last entry and its last sequence, of those up to `toSequence`. */
  lasts(event: string, by: SurvivingEvents["by"], toSequence: number): ReadonlyArray<Survivor> {
    const found: Array<Survivor> = []
    for (const bucket of this.#byEvent.get(event)?.values() ?? []) {
      const end = lowerBound(bucket.bySequence, (entry) => entry.remoteSequence <= toSequence)
      const latest = bucket.bySequence[end - 1]
      if (latest === undefined) continue
      const greatest = bucket.byId.findLast(({ remoteSequence }) => remoteSequence <= toSequence)
      found.push({ entry: by === "id" ? greatest! : latest, last: latest.remoteSequence })
    }
    return found
  }

  /** Whether there are entries of other events up to a sequence. */
  hasOthers(events: ReadonlySet<string>, toSequence: number): boolean {
    for (const [event, buckets] of this.#byEvent) {
      if (events.has(event)) continue
      for (const { bySequence } of buckets.values()) if (bySequence[0]!.remoteSequence <= toSequence) return true
    }
    return false
  }

  #bucketsOf(range: BucketRange): ReadonlyArray<Bucket> {
    const found: Array<Bucket> = []
    for (const event of range.events) {
      const bucket = this.#byEvent.get(event)?.get(range.primaryKey)
      if (bucket !== undefined && !found.includes(bucket)) found.push(bucket)
    }
    return found
  }

  #ensure(event: string): Map<string, Bucket> {
    let byKey = this.#byEvent.get(event)
    if (byKey === undefined) {
      byKey = new Map()
      this.#byEvent.set(event, byKey)
    }
    return byKey
  }
}

function* oldestIn(bucket: Bucket, range: BucketRange): Generator<FeedEntry> {
  const start = lowerBound(bucket.bySequence, (entry) => entry.remoteSequence < range.fromSequence)
  for (let index = start; index < bucket.bySequence.length; index++) {
    const entry = bucket.bySequence[index]!
    if (entry.remoteSequence > range.toSequence) return
    if (isIn(range, entry)) yield entry
  }
}

/** The first and the last entry of a range, wherever their ids are. */
function* endsOf(bucket: Bucket, range: BucketRange): Generator<FeedEntry> {
  const first = oldestIn(bucket, range).next().value
  if (first === undefined) return
  yield first
  const end = lowerBound(bucket.bySequence, (entry) => entry.remoteSequence <= range.toSequence)
  for (let index = end - 1; index >= 0; index--) {
    const entry = bucket.bySequence[index]!
    if (isIn(range, entry)) return yield entry
  }
}

function* newestIn(bucket: Bucket, range: BucketRange): Generator<FeedEntry> {
  for (let index = bucket.byId.length - 1; index >= 0; index--) {
    const entry = bucket.byId[index]!
    if (range.afterId !== undefined && compareIds(entry.entry.id, range.afterId) <= 0) return
    if (isIn(range, entry)) yield entry
  }
}

const take = (entries: Iterable<FeedEntry>, limits: PageLimits): Array<FeedEntry> => {
  const taken: Array<FeedEntry> = []
  let bytes = 0
  for (const entry of entries) {
    bytes += entryBytes(entry.entry)
    if (taken.length >= limits.maxEntries || (taken.length > 0 && bytes > limits.maxBytes)) break
    taken.push(entry)
  }
  return taken
}
