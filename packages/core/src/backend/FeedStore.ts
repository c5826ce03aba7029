import { Context, type Effect, type Stream } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { StorageError, StoreErasedError } from "./StorageError.ts"
import type { StoreId } from "./StoreId.ts"

/** Who wrote an entry: the client's public key, or `null` when the server did. */
export type Author = string | null

/** An entry on its way into a feed. */
export interface FeedRecord {
  readonly entry: EventJournal.Entry
  readonly author: Author
  /** `true` keeps the entry away from handlers, reactivity and conflicts: it is only sent to subscribers. */
  readonly transportOnly: boolean
}

/** A committed entry and its place in the feed of its store. */
export interface FeedEntry extends FeedRecord {
  /** Starts at 1 and rises by 1 without gaps, per store. */
  readonly remoteSequence: number
}

/** What became of one record of an `append`. */
export interface Appended {
  /** The sequence of the entry: of its first copy, when the store already had it. */
  readonly sequence: number
  /** `false` when the store already had an entry of this id, from before or earlier in the same `append`. */
  readonly isNew: boolean
}

/** How much one page may hold. A page holds at least one entry when there is one, whatever its size. */
export interface PageLimits {
  readonly maxEntries: number
  /** Bytes of payload, event name and primary key together. */
  readonly maxBytes: number
}

/**
 * Tells whether a reader has use for an entry: where it answers `false` a store may leave the entry out of a page, and what
 * it takes to hand it over. It is called with entries as the store keeps them, which it neither changes nor holds on to.
 */
export type Sieve = (entry: FeedEntry) => boolean

/** Consecutive entries of a feed, but for those that a sieve left out. */
export interface FeedPage {
  readonly entries: ReadonlyArray<FeedEntry>
  /**
   * The last sequence that the page stands for: those up to it that are not among the entries were left out by the
   * sieve. @default the last entry's, as it must be where no sieve was given
   */
  readonly through?: number | undefined
  /**
   * The last committed sequence of the store, 0 when it has none, read together with the entries: it is never lower
   * than the last of them.
   */
  readonly head: number
}

/**
 * Entries of one bucket: those of any of `events` with `primaryKey`, whose sequence lies in
 * `fromSequence..toSequence` (both inclusive).
 */
export interface BucketRange {
  readonly events: ReadonlyArray<string>
  readonly primaryKey: string
  readonly fromSequence: number
  readonly toSequence: number
  /** Only entries whose id is greater, compared byte by byte. */
  readonly afterId?: Uint8Array | undefined
  /** Leave out entries that are `transportOnly`. */
  readonly replayableOnly?: boolean | undefined
}

/** Which entries of a bucket are wanted, and in which order they come. */
export interface BucketSelection {
  /** `"sequence"`: the lowest sequences first. `"newest"`: the greatest ids first. */
  readonly order: "sequence" | "newest"
  /** How many entries at most, for each range. */
  readonly maxEntries: number
  /** How many bytes at most, for each range, counted as in `PageLimits`; one entry comes whatever its size. */
  readonly maxBytes: number
  /**
   * How many bytes at most, for all ranges together. The first range whose entries don't fit is left out whole, with all
   * behind it: what is returned then has fewer elements than there are ranges. The very first range comes whatever its
   * size. @default no bound
   */
  readonly maxTotalBytes?: number | undefined
}

/** The first and the last sequence of a bucket's range. */
export interface BucketBounds {
  readonly first: number
  readonly last: number
}

/**
 * The transport history: for each store, a feed of entries in sequence order. This is the port that a storage
 * package implements first.
 *
 * - **Sequences** are per store, start at 1, rise by 1 without gaps. A reader never sees n+1 before it could see n.
 * - **Idempotent** by (store, entry id): the first copy's sequence, author and `transportOnly` stand.
 * - **Durable**: when `append` answers, the commit has returned.
 * - Bytes that a member hands out belong to the caller; bytes that it is handed are never changed.
 */
export class FeedStore extends Context.Service<
  FeedStore,
  {
    /**
     * The durable identity of this backend, 16 bytes, announced to devices as their remote's id. It only changes by
     * `FeedAdmin.rotateId`.
     */
    readonly id: Effect.Effect<EventJournal.RemoteId, StorageError>
    /**
     * Appends all records or none, and answers one slot for each, in order. Appends of one store are linearized with
     * those of every other process.
     */
    readonly append: (
      storeId: StoreId,
      records: ReadonlyArray<FeedRecord>
    ) => Effect.Effect<ReadonlyArray<Appended>, StorageError | StoreErasedError>
    /**
     * The page that begins at sequence `from` (inclusive, at least 1), in sequence order. A store that can't save
     * anything by `sieve` ignores it. One that heeds it answers after a bounded number of entries that it left out.
     */
    readonly read: (
      storeId: StoreId,
      from: number,
      limits: PageLimits,
      sieve?: Sieve
    ) => Effect.Effect<FeedPage, StorageError | StoreErasedError>
    /**
     * The selected entries of each range, in the order of the ranges; found by an index, not by a scan. Where the selection
     * has `maxTotalBytes`, of as many ranges from the first on as fit.
     */
    readonly bucket: (
      storeId: StoreId,
      ranges: ReadonlyArray<BucketRange>,
      selection: BucketSelection
    ) => Effect.Effect<ReadonlyArray<ReadonlyArray<FeedEntry>>, StorageError>
    /** The bounds of each range, in the order of the ranges; `undefined` where a range is empty. */
    readonly bucketBounds: (
      storeId: StoreId,
      ranges: ReadonlyArray<BucketRange>
    ) => Effect.Effect<ReadonlyArray<BucketBounds | undefined>, StorageError>
    /**
     * The greatest entry id of a store, compared byte by byte, whatever the entry is for; `undefined` where the store has
     * no entries. It counts every append that has answered.
     */
    readonly greatestId: (storeId: StoreId) => Effect.Effect<EventJournal.EntryId | undefined, StorageError>
    /**
     * Says "the head may have moved", for commits by any process. It emits once as soon as it listens, so that a reader
     * that looks after the first element misses nothing. Wake-ups may be spurious and may collapse; none is lost for
     * good: a connection that was lost emits one when it is back. The erasure of the store wakes too.
     */
    readonly wakeups: (storeId: StoreId) => Stream.Stream<void, StorageError>
  }
>()("@eventlog-server/core/FeedStore") {}
