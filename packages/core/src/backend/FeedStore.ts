import { Context, type Effect, type Stream } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { FeedLostError, StorageError, StoreErasedError } from "./StorageError.ts"
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

/** How a page is read. */
export interface ReadOptions extends PageLimits {
  /**
   * The reader only looks: it changes no bytes of the entries, and hands them to nobody who could. A backend that holds the
   * entries itself may hand out those. @default false: what is handed out is the caller's own
   */
  readonly borrows?: boolean | undefined
}

/** Consecutive entries of a feed. */
export interface FeedPage {
  readonly entries: ReadonlyArray<FeedEntry>
  /**
   * The last committed sequence of the store, 0 when it has none, read together with the entries: it is never lower
   * than the last of them.
   */
  readonly head: number
}

/** The end of a feed. */
export interface FeedHead {
  /** The last committed sequence, 0 when the store has none. */
  readonly sequence: number
  /** The greatest entry id, compared byte by byte, whatever the entry is for; `undefined` when the store has none. */
  readonly greatestId: EventJournal.EntryId | undefined
}

/** An entry that was committed: where it stood when somebody saw it, and in which history of the backend. */
export interface KnownEntry {
  readonly sequence: number
  /** 16 bytes. */
  readonly id: Uint8Array
  /**
   * The backend's id at that time. After a loss devices send again what they hold, so that the same entry may come to stand
   * in the same place, behind others than before: what tells the two histories apart is that the backend has another id.
   * @default the place alone is looked at
   */
  readonly remoteId?: EventJournal.RemoteId | undefined
}

/** Says that a feed may have grown: that its head is at least this, or, without one, that it has to be looked at. */
export interface Wakeup {
  readonly head?: number | undefined
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

/** The events of one group, and which entry of an event and primary key is its last. */
export interface SurvivingEvents {
  readonly events: ReadonlyArray<string>
  /** That with the greatest id, or with the greatest sequence. */
  readonly by: "id" | "sequence"
}

/** Which beginning of a feed is looked at, and what is left of it. */
export interface SurvivorsRequest {
  /** No event is in two of them. */
  readonly groups: ReadonlyArray<SurvivingEvents>
  /** The last sequence that is looked at (inclusive). */
  readonly toSequence: number
  /** The greatest id that is old enough, 16 bytes. */
  readonly toId: Uint8Array
  /** How much one page may hold. */
  readonly limits: PageLimits
}

/** The last entry of an event and primary key. */
export interface Survivor {
  readonly entry: FeedEntry
  /** The greatest sequence of all entries that have its primary key and any of the events of its group. */
  readonly last: number
}

/** What is left of a feed's beginning. */
export interface Survivors {
  /** The last sequence of the beginning; 0 where there is none. */
  readonly toSequence: number
  /** In the order of `last`, and then of their sequences. */
  readonly pages: Stream.Stream<ReadonlyArray<Survivor>, StorageError>
}

/**
 * The transport history: for each store, a feed of entries in sequence order. This is the port that a storage
 * package implements first.
 *
 * - **Sequences** are per store, start at 1, rise by 1 without gaps. A reader never sees n+1 before it could see n.
 * - **Idempotent** by (store, entry id): the first copy's sequence, author and `transportOnly` stand.
 * - **Durable**: when `append` returns, the commit has returned.
 * - **Known entries**: whoever reads or appends may present an entry that is known to be committed. Where it isn't in its
 *   place any more, or the backend has another id by now, the call does nothing and fails with a `FeedLostError`: a replica
 *   that lagged behind took over, a backup was restored. Comparing a cursor with the head notices nothing once the feed has grown past it again.
 * - Bytes that a member hands out belong to the caller, unless it borrows them (`ReadOptions`); bytes that it is handed are
 *   never changed.
 */
export class FeedStore extends Context.Service<
  FeedStore,
  {
    /**
     * Appends all records or none, and returns one slot for each, in order. Appends of one store are linearized with
     * those of every other process. The known entry is looked for in the same atomic step.
     */
    readonly append: (
      storeId: StoreId,
      records: ReadonlyArray<FeedRecord>,
      known?: KnownEntry | undefined
    ) => Effect.Effect<ReadonlyArray<Appended>, StorageError | StoreErasedError | FeedLostError>
    /** The page that begins at sequence `from` (inclusive, at least 1), in sequence order. */
    readonly read: (
      storeId: StoreId,
      from: number,
      options: ReadOptions,
      known?: KnownEntry | undefined
    ) => Effect.Effect<FeedPage, StorageError | StoreErasedError | FeedLostError>
    /** The end of a feed, found without reading entries. It counts every append that has returned. */
    readonly head: (storeId: StoreId) => Effect.Effect<FeedHead, StorageError | StoreErasedError>
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
     * What is left of the beginning of a feed, as long as its entries are old and of the groups' events, where only the last
     * entry of each event and primary key matters. It ends at `toSequence`, or before the first entry with an id that is
     * greater than `toId`; there is none where an entry of another event lies before that.
     *
     * They are found by indexes: it costs what comes out, whatever the length of the beginning. Entries that are appended
     * meanwhile lie beyond `toSequence`, and change nothing. A store without entries, or an erased one, has no beginning.
     */
    readonly survivors: (storeId: StoreId, request: SurvivorsRequest) => Effect.Effect<Survivors, StorageError>
    /**
     * Says that the head may have moved, for commits by any process. It emits once as soon as it listens, so that a reader
     * that looks after the first element misses nothing. Wake-ups may be spurious and may collapse; none is lost for
     * good: a connection that was lost emits one when it is back. The erasure of the store wakes too.
     */
    readonly wakeups: (storeId: StoreId) => Stream.Stream<Wakeup, StorageError>
  }
>()("@eventlog-server/core/FeedStore") {}
