import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import type { BucketRange, FeedEntry, FeedStore } from "../backend/FeedStore.ts"
import type { StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { defaultLimits } from "../wire/limits.ts"

type Entry = EventJournal.Entry
type EntryId = EventJournal.EntryId

/** Bytes of the conflicts of one event and primary key that are looked up: those of a page. */
const maxBucketBytes = defaultLimits.maxPageBytes

/** What conflicts are looked for. */
export interface ConflictOptions {
  /** The place in the page of the first entry whose conflicts are wanted. */
  readonly from: number
  /** How many conflicts an entry has at most: those with the greatest ids. */
  readonly maxConflicts: number
  /** Bytes of what is looked up and held at the same time, unless it is for a single event and primary key. */
  readonly maxBytes: number
  /** Pairs of an event and a primary key that are looked up at the same time. */
  readonly maxRanges: number
  /** No entry below the page has a greater id than this; `undefined`: nothing is known of them. */
  readonly greatestBelow: EntryId | undefined
  /** Conflicts lie in the page, or below this sequence. @default the page's first */
  readonly below?: number | undefined
  /** Whether the event's conflicts matter to anybody. */
  readonly isHandled: (event: string) => boolean
}

/** The conflicts of some entries of a page. */
export interface FoundConflicts {
  /** Those of each entry from `from` on, as far as they could be held at the same time: of one entry at least. */
  readonly conflicts: ReadonlyArray<ReadonlyArray<Entry>>
  /** How many pairs of an event and a primary key were looked up. */
  readonly ranges: number
}

/** The entries of one event and primary key that may be conflicts, in id order. */
interface Bucket {
  readonly event: string
  readonly primaryKey: string
  /** The least id of the entries whose conflicts are wanted: only a greater one can conflict with any of them. */
  leastId: EntryId
  /** Whether all candidates are known. */
  isFilled: boolean
  readonly candidates: Array<Entry>
}

const isLess = (a: EntryId, b: EntryId): boolean => EventJournal.EntryIdOrder(a, b) < 0

const greaterOf = (a: EntryId | undefined, b: EntryId | undefined): EntryId | undefined =>
  a === undefined || (b !== undefined && isLess(a, b)) ? b : a

/**
 * The ids below the page that is processed next, page after page of one store. Ids begin with a time, so most entries have
 * greater ids than everything before them: those have no conflicts there, and none have to be looked for.
 */
export class PassedIds {
  readonly #feeds: FeedStore["Service"]
  readonly #storeId: StoreId
  #isKnown: boolean
  #passed: EntryId | undefined

  /** @param cursor behind which the first page is. Whoever begins with the feed sees all ids that come to lie below. */
  constructor(feeds: FeedStore["Service"], storeId: StoreId, cursor: number) {
    this.#feeds = feeds
    this.#storeId = storeId
    this.#isKnown = cursor === 0
  }

  /**
   * An id that no entry below the next page exceeds; `undefined` while none is known. It is asked for before the second
   * page, since there often is only one, and from then on kept by `pass`.
   */
  get greatest(): Effect.Effect<EntryId | undefined, StorageError | StoreErasedError> {
    return Effect.suspend(() => {
      if (this.#isKnown || this.#passed === undefined) return Effect.succeed(this.#passed)
      return Effect.map(this.#feeds.head(this.#storeId), ({ greatestId }) => {
        this.#isKnown = true
        this.#passed = greaterOf(this.#passed, greatestId)
        return this.#passed
      })
    })
  }

  /** The entries of a page lie below the next one. */
  pass(entries: ReadonlyArray<FeedEntry>): void {
    for (const { entry } of entries) this.#passed = greaterOf(this.#passed, entry.id)
  }
}

const none: ReadonlyArray<Entry> = []

/** Where an id's place is among entries in id order. */
const placeOf = (entries: ReadonlyArray<Entry>, id: EntryId): number => {
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

/** Buckets, in the order in which entries first need them. */
class Buckets {
  readonly all: Array<Bucket> = []
  readonly #byEvent = new Map<string, Map<string, Bucket>>()

  constructor(entries: ReadonlyArray<FeedEntry>) {
    for (const { entry } of entries) this.#want(entry)
  }

  of({ event, primaryKey }: Entry): Bucket | undefined {
    return this.#byEvent.get(event)?.get(primaryKey)
  }

  #want(entry: Entry): void {
    const { event, id, primaryKey } = entry
    const known = this.of(entry)
    if (known !== undefined) {
      if (isLess(id, known.leastId)) known.leastId = id
      return
    }
    const bucket = { event, primaryKey, leastId: id, isFilled: true, candidates: [] }
    const ofEvent = this.#byEvent.get(event)
    if (ofEvent === undefined) this.#byEvent.set(event, new Map([[primaryKey, bucket]]))
    else ofEvent.set(primaryKey, bucket)
    this.all.push(bucket)
  }
}

/**
 * Fills buckets with the feed's entries below the page, so that the page's own can't use up the limit: as many as fit, the
 * first ones. Returns how many it filled.
 */
const fill = Effect.fnUntraced(function* (
  feeds: FeedStore["Service"],
  storeId: StoreId,
  buckets: ReadonlyArray<Bucket>,
  { maxBytes, maxConflicts, maxRanges, pageStart }: ConflictOptions & { readonly pageStart: number }
): Effect.fn.Return<number, StorageError> {
  if (pageStart === 1 || buckets.length === 0 || maxConflicts === 0) return 0
  for (const bucket of buckets) bucket.isFilled = false
  const ranges = buckets.slice(0, maxRanges).map(
    ({ event, leastId, primaryKey }): BucketRange => ({
      events: [event],
      primaryKey,
      fromSequence: 1,
      toSequence: pageStart - 1,
      afterId: leastId,
      replayableOnly: true
    })
  )
  const found = yield* feeds.bucket(storeId, ranges, {
    order: "newest",
    maxEntries: maxConflicts,
    maxBytes: maxBucketBytes,
    maxTotalBytes: maxBytes
  })
  for (const [index, entries] of found.entries()) {
    const bucket = buckets[index]!
    bucket.isFilled = true
    bucket.candidates.push(...entries.map(({ entry }) => entry).reverse())
  }
  return found.length
})

/**
 * The conflicts of entries of a page, in the page's order: the replayable entries of the same event and primary key with a
 * lower sequence and a greater id, in id order, and of those the newest: `maxConflicts`, and of what lies below the page no
 * more bytes of each event and primary key than a page holds. One query where all of them can be held at the same time, and
 * none where all ids are greater than those below; else those of the first entries, and the rest is asked for again.
 */
export const conflictsOf = Effect.fnUntraced(function* (
  feeds: FeedStore["Service"],
  storeId: StoreId,
  page: ReadonlyArray<FeedEntry>,
  options: ConflictOptions
): Effect.fn.Return<FoundConflicts, StorageError> {
  const { below, from, greatestBelow, isHandled, maxConflicts } = options
  const matters = ({ entry, transportOnly }: FeedEntry) => !transportOnly && isHandled(entry.event)
  const wanted = page.slice(from)
  const buckets = new Buckets(wanted.filter(matters))
  const inDoubt = buckets.all.filter(({ leastId }) => greatestBelow === undefined || isLess(leastId, greatestBelow))
  const pageStart = below ?? page[0]?.remoteSequence ?? 1
  const ranges = yield* fill(feeds, storeId, inDoubt, { ...options, pageStart })

  /** Makes an entry a candidate for those behind it, and returns its own conflicts. */
  const pass = (bucket: Bucket, entry: Entry): ReadonlyArray<Entry> => {
    const { candidates } = bucket
    const place = placeOf(candidates, entry.id)
    if (place === candidates.length) {
      candidates.push(entry)
      return none
    }
    const conflicts = candidates.slice(Math.max(place, candidates.length - maxConflicts))
    candidates.splice(place, 0, entry)
    return conflicts
  }

  for (const feedEntry of page.slice(0, from).filter(matters)) {
    const bucket = buckets.of(feedEntry.entry)
    if (bucket !== undefined) pass(bucket, feedEntry.entry)
  }
  const conflicts: Array<ReadonlyArray<Entry>> = []
  for (const feedEntry of wanted) {
    const bucket = matters(feedEntry) ? buckets.of(feedEntry.entry) : undefined
    if (bucket?.isFilled === false) break
    conflicts.push(bucket === undefined ? none : pass(bucket, feedEntry.entry))
  }
  return { conflicts, ranges }
})
