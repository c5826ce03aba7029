import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import type { BucketRange, FeedEntry, FeedStore } from "../backend/FeedStore.ts"
import type { StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { entryBytes } from "../wire/fields.ts"
import { TooManyConflictsError } from "./failures.ts"

type Entry = EventJournal.Entry
type EntryId = EventJournal.EntryId

/** Conflicts of one event and primary key that are looked up together with others: few have more, and those by themselves. */
const firstConflicts = 100

/** How many more of them are looked up each time. */
const growth = 8

/** References to conflicts that a part of a page may hold, 8 bytes each: entries of one bucket mostly have the same ones. */
const maxReferences = 1_000_000

/** What conflicts are looked for. */
export interface ConflictOptions {
  /** The place in the page of the first entry whose conflicts are wanted. */
  readonly from: number
  /** How many conflicts an entry may have. */
  readonly maxConflicts: number
  /** Bytes of the conflicts that an entry may have, and of what is looked up and held at the same time. */
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

/** All conflicts of an entry, or that they are more than it may have: a handler that is given some of them goes wrong. */
export type Conflicts = ReadonlyArray<Entry> | TooManyConflictsError

/** The conflicts of some entries of a page. */
export interface FoundConflicts {
  /** Those of each entry from `from` on, as far as they could be held at the same time: of one entry at least. */
  readonly conflicts: ReadonlyArray<Conflicts>
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
  /** The bytes of each, once an entry has conflicts: with many of them it is dear to count them for each entry. */
  sizes: Array<number> | undefined
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
    const bucket = { event, primaryKey, leastId: id, isFilled: true, candidates: [], sizes: undefined }
    const ofEvent = this.#byEvent.get(event)
    if (ofEvent === undefined) this.#byEvent.set(event, new Map([[primaryKey, bucket]]))
    else ofEvent.set(primaryKey, bucket)
    this.all.push(bucket)
  }
}

/** Where conflicts are looked for: in what lies below a page. */
interface Below extends ConflictOptions {
  readonly feeds: FeedStore["Service"]
  readonly storeId: StoreId
  readonly pageStart: number
}

/** What has no bytes comes first, where the first range would come whatever its size. */
const nothing: BucketRange = { events: [], primaryKey: "", fromSequence: 1, toSequence: 0 }

/** The newest entries of buckets, of as many as fit together, from the first on: maybe of none. */
const newestOf = (
  { feeds, maxBytes, pageStart, storeId }: Below,
  buckets: ReadonlyArray<Bucket>,
  maxEntries: number
): Effect.Effect<ReadonlyArray<ReadonlyArray<FeedEntry>>, StorageError> => {
  const ranges = buckets.map((bucket) => rangeOf(bucket, pageStart))
  const selection = { order: "newest", maxEntries, maxBytes: Number.MAX_SAFE_INTEGER, maxTotalBytes: maxBytes } as const
  return Effect.map(feeds.bucket(storeId, [nothing, ...ranges], selection), (found) => found.slice(1))
}

const rangeOf = ({ event, leastId, primaryKey }: Bucket, pageStart: number): BucketRange => ({
  events: [event],
  primaryKey,
  fromSequence: 1,
  toSequence: pageStart - 1,
  afterId: leastId,
  replayableOnly: true
})

/** All of a bucket's entries below the page, page by page; or where those are too many, one more than an entry may have. */
const allOf = Effect.fnUntraced(function* (
  below: Below,
  bucket: Bucket
): Effect.fn.Return<ReadonlyArray<FeedEntry>, StorageError> {
  const { feeds, maxBytes, maxConflicts, pageStart, storeId } = below
  const ask = (maxEntries: number, maxBytes: number) =>
    Effect.map(
      feeds.bucket(storeId, [rangeOf(bucket, pageStart)], { order: "newest", maxEntries, maxBytes }),
      ([found = []]) => found
    )
  for (let most = firstConflicts * growth; ; most *= growth) {
    const maxEntries = Math.min(most, maxConflicts + 1)
    const [found] = yield* newestOf(below, [bucket], maxEntries)
    if (found === undefined) return yield* ask((yield* ask(maxEntries, maxBytes)).length + 1, Number.MAX_SAFE_INTEGER)
    if (found.length < maxEntries || maxEntries > maxConflicts) return found
  }
})

const insert = ({ candidates, sizes }: Bucket, place: number, entry: Entry): void => {
  if (place === candidates.length) candidates.push(entry)
  else candidates.splice(place, 0, entry)
  sizes?.splice(place, 0, entryBytes(entry))
}

/** The bytes of candidates, from a place on. */
const bytesFrom = (bucket: Bucket, place: number): number => {
  bucket.sizes ??= bucket.candidates.map(entryBytes)
  let bytes = 0
  for (let index = place; index < bucket.sizes.length; index++) bytes += bucket.sizes[index]!
  return bytes
}

/**
 * Fills buckets with the feed's entries below the page: as many buckets as fit, the first ones. Returns how many it filled. A
 * bucket with more than a few entries is filled by itself.
 */
const fill = Effect.fnUntraced(function* (
  below: Below,
  buckets: ReadonlyArray<Bucket>
): Effect.fn.Return<number, StorageError> {
  const { maxConflicts, maxRanges, pageStart } = below
  const [first] = buckets
  if (pageStart === 1 || first === undefined) return 0
  for (const bucket of buckets) bucket.isFilled = false
  const maxEntries = Math.min(firstConflicts, maxConflicts + 1)
  const found = yield* newestOf(below, buckets.slice(0, maxRanges), maxEntries)
  const end = found.findIndex(({ length }) => length === maxEntries)
  const whole = end === -1 ? found : found.slice(0, end)
  const filled = whole.length === 0 ? [yield* allOf(below, first)] : whole
  for (const [index, entries] of filled.entries()) {
    const bucket = buckets[index]!
    bucket.isFilled = true
    for (const { entry } of entries.toReversed()) insert(bucket, bucket.candidates.length, entry)
  }
  return filled.length
})

/** Makes an entry a candidate for those behind it, and returns its own conflicts. */
const pass = (bucket: Bucket, entry: Entry, { maxBytes, maxConflicts }: ConflictOptions): Conflicts => {
  const { candidates } = bucket
  const place = placeOf(candidates, entry.id)
  const conflicts = place === candidates.length ? none : candidates.slice(place)
  const areTooMany = conflicts.length > maxConflicts || (conflicts.length > 0 && bytesFrom(bucket, place) > maxBytes)
  insert(bucket, place, entry)
  return areTooMany ? new TooManyConflictsError({ event: entry.event, maxConflicts, maxBytes }) : conflicts
}

/**
 * The conflicts of entries of a page, in the page's order: all replayable entries of the same event and primary key with a
 * lower sequence and a greater id, in id order. One query where all of them can be held at the same time, and none where all
 * ids are greater than those below; else those of the first entries, and the rest is asked for again.
 */
export const conflictsOf = Effect.fnUntraced(function* (
  feeds: FeedStore["Service"],
  storeId: StoreId,
  page: ReadonlyArray<FeedEntry>,
  options: ConflictOptions
): Effect.fn.Return<FoundConflicts, StorageError> {
  const { below, from, greatestBelow, isHandled } = options
  const matters = ({ entry, transportOnly }: FeedEntry) => !transportOnly && isHandled(entry.event)
  const wanted = page.slice(from)
  const buckets = new Buckets(wanted.filter(matters))
  const inDoubt = buckets.all.filter(({ leastId }) => greatestBelow === undefined || isLess(leastId, greatestBelow))
  const pageStart = below ?? page[0]?.remoteSequence ?? 1
  const ranges = yield* fill({ ...options, feeds, storeId, pageStart }, inDoubt)

  for (const feedEntry of page.slice(0, from).filter(matters)) {
    const bucket = buckets.of(feedEntry.entry)
    if (bucket !== undefined) insert(bucket, placeOf(bucket.candidates, feedEntry.entry.id), feedEntry.entry)
  }
  const conflicts: Array<Conflicts> = []
  let references = 0
  for (const feedEntry of wanted) {
    const { entry } = feedEntry
    const bucket = matters(feedEntry) ? buckets.of(entry) : undefined
    if (bucket?.isFilled === false || references > maxReferences) break
    const found = bucket === undefined ? none : pass(bucket, entry, options)
    if (Array.isArray(found)) references += found.length
    conflicts.push(found)
  }
  return { conflicts, ranges }
})
