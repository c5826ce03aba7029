import { Context, Data, type Duration, type Effect, type Exit, type Option, type Scope } from "effect"
import type { Author, KnownEntry } from "./FeedStore.ts"
import type { FeedLostError, StorageError } from "./StorageError.ts"
import type { StoreId } from "./StoreId.ts"

/** Another process took the lease over, it expired, or the store was erased: nothing was moved. */
export class LeaseLostError extends Data.TaggedError("LeaseLostError")<{
  readonly storeId: StoreId
}> {
  override get message(): string {
    return `The processing lease of store "${this.storeId}" was lost`
  }
}

/**
 * Runs a handler as a part of the transaction that it is in, with `CurrentTransaction`. What a handler that failed wrote
 * is undone, and nothing else. Fails where the transaction itself is lost.
 */
export type Contain<E> = <A, F, R>(handler: Effect.Effect<A, F, R>) => Effect.Effect<Exit.Exit<A, F>, E, R>

/** What is done within the transaction that moves a cursor. */
export interface Within {
  readonly contain: Contain<StorageError>
  /** The store's failures, kept and forgotten together with what the transaction does. */
  readonly failures: {
    /** See `Failures.record`. */
    readonly record: (failures: ReadonlyArray<Failure>) => Effect.Effect<number, StorageError>
    /** See `Failures.settle`. */
    readonly settle: (sequences: ReadonlyArray<number>) => Effect.Effect<void, StorageError>
  }
}

/** The right to process a store's entries, held by one holder across all processes. */
export interface Lease {
  /** The sequence of the last processed entry when the lease was taken; 0 before the first. */
  readonly cursor: number
  /** The last sequence that was processed before the cursor was last rewound; 0 where it never was. */
  readonly replayTo: number
  /** Where somebody wants the cursor to be rewound to (`StoreProgress.rewind`); `undefined` where nobody does. */
  readonly rewindTo: number | undefined
  /**
   * Does what is wanted, fenced: moves the cursor back, remembers in `replayTo` how far it was, and forgets the failures of what
   * is behind it now. First the app's work is done, in the same transaction where handlers share the cursor's. Ends with the
   * cursor moved, or nothing done but, outside of a transaction, that work.
   */
  readonly rewind: <E, R>(
    work: (contain: Contain<StorageError>) => Effect.Effect<void, E, R>
  ) => Effect.Effect<void, E | LeaseLostError | StorageError, R>
  /**
   * Moves the cursor up to an entry that was processed. Fenced: a holder that lost the lease moves nothing and is told so.
   * Nor is it moved where the feed doesn't hold that entry (any more), or the backend has another id: handlers saw a history that is lost, and a cursor
   * that passed it would pass entries of the new one. A sequence at or below the cursor moves nothing. Where the cursor is to be
   * rewound, the lease counts as lost: whoever takes it next does that first.
   *
   * It is called when a store has come to rest, or a second after what it saves: while further handlers may be running, for one
   * lease once at a time, and for all stores that are due without waiting in between, so that one statement may do for them.
   */
  readonly advance: (processed: KnownEntry) => Effect.Effect<void, LeaseLostError | FeedLostError | StorageError>
  /**
   * There where handlers share the cursor's transaction. Does some work in a transaction, whose last statement moves the
   * cursor to the entry that the work returns, or leaves it where it is for `undefined`; fenced and checked as `advance` is:
   * both are committed, or neither. An interruption undoes it all.
   */
  readonly transaction?:
    | (<E, R>(
        work: (within: Within) => Effect.Effect<KnownEntry | undefined, E, R>
      ) => Effect.Effect<void, E | LeaseLostError | FeedLostError | StorageError, R>)
    | undefined
}

/** Events to compact as one group, and how old an entry of theirs must be. */
export interface CutoffRequest {
  readonly events: ReadonlyArray<string>
  readonly olderThan: Duration.Duration
}

/** A compaction group in force. */
export interface CompactionGroup {
  readonly events: ReadonlyArray<string>
  /** Entries created up to this time may be compacted, in milliseconds since the epoch. It never falls. */
  readonly cutoff: number
}

/**
 * Why an entry was not handled:
 *
 * - `HandlerFailed`: its handler failed, or threw, as often as it was tried.
 * - `TimedOut`: its handler took longer than `handlerTimeout`.
 * - `Undecodable`: the schema can't read its payload.
 * - `NoHandler`: there is no handler for its event.
 * - `TooManyConflicts`: it conflicts with more entries than a handler can be given.
 */
export type FailureReason = "HandlerFailed" | "TimedOut" | "Undecodable" | "NoHandler" | "TooManyConflicts"

/** An entry whose handler failed, as it is recorded. */
export interface Failure {
  readonly sequence: number
  /** 16 bytes. */
  readonly entryId: Uint8Array
  readonly event: string
  readonly primaryKey: string
  readonly author: Author
  readonly reason: FailureReason
  /** What the handler failed with, in words. */
  readonly message: string
}

/** A failure that is kept. */
export interface KeptFailure extends Failure {
  readonly storeId: StoreId
  /** How often it was recorded. */
  readonly attempts: number
  /** Whether it is to be tried again. */
  readonly isDue: boolean
  /** When it was recorded for the first and for the last time, in milliseconds since the epoch, by the backend's clock. */
  readonly firstAt: number
  readonly lastAt: number
}

/** Which failures are listed: those of a store or of all, behind `after`, `limit` at most. */
export interface FailuresQuery {
  readonly storeId?: StoreId | undefined
  /** Only those that are to be tried again. Where there are none, it costs next to nothing. @default all */
  readonly isDue?: true | undefined
  readonly after?: { readonly storeId: StoreId; readonly sequence: number } | undefined
  readonly limit: number
}

/** The entries whose handlers failed, kept until they are handled or discarded. */
export interface Failures {
  /**
   * Keeps failures, all or none, and returns how many the store has then. One that is kept already gets another attempt,
   * is kept as it failed last, and isn't due any more. An erased store keeps none.
   */
  readonly record: (storeId: StoreId, failures: ReadonlyArray<Failure>) => Effect.Effect<number, StorageError>
  /** Failures in a stable order of stores, those of a store by sequence. */
  readonly list: (query: FailuresQuery) => Effect.Effect<ReadonlyArray<KeptFailure>, StorageError>
  /** Makes failures due: whoever holds the store's lease tries them again. Those that aren't kept are passed over. */
  readonly retry: (storeId: StoreId, sequences: ReadonlyArray<number>) => Effect.Effect<void, StorageError>
  /** Forgets failures: they were handled, or nobody wants them to be. Those that aren't kept are passed over. */
  readonly settle: (storeId: StoreId, sequences: ReadonlyArray<number>) => Effect.Effect<void, StorageError>
}

/** What the server remembers about a store besides its entries. */
export class StoreProgress extends Context.Service<
  StoreProgress,
  {
    /**
     * Takes the processing lease until the scope closes, or returns `None` while somebody else holds it. The holder
     * keeps it alive by itself; one that died loses it after the backend's lease time.
     */
    readonly lease: (storeId: StoreId) => Effect.Effect<Option.Option<Lease>, StorageError, Scope.Scope>
    /**
     * The cursors of the stores, in their order, without taking a lease; 0 where nothing was processed. One that is to be rewound
     * counts as if it were.
     */
    readonly cursors: (storeIds: ReadonlyArray<StoreId>) => Effect.Effect<ReadonlyArray<number>, StorageError>
    /**
     * Up to `limit` stores whose cursor is not at their head, in a stable order, those after `after`; `undefined` starts
     * over. Stores at rest cost nothing, or next to it. One that is listed may be at rest by then; one that has something to
     * do is not missing.
     */
    readonly behind: (after: StoreId | undefined, limit: number) => Effect.Effect<ReadonlyArray<StoreId>, StorageError>
    /**
     * Wants a store's cursor to go back to a sequence, so that handlers see again what is behind it. Whoever holds the lease can
     * move the cursor no further; the next one to take it finds `rewindTo`. Of several wishes the one for the least sequence stands.
     * Until it was done, the store counts as `behind`. Nothing comes of it for a store that never was, or was erased.
     */
    readonly rewind: (storeId: StoreId, to: number) => Effect.Effect<void, StorageError>
    /**
     * Raises the store's compaction cut-offs and returns all groups in force. The events of a request that are in no
     * group yet form a new one, for good. Each group that shares an event with a request has its cut-off raised to
     * `now - olderThan`, by the backend's own clock, rounded down to a minute. Neither ever shrinks.
     */
    readonly raiseCutoffs: (
      storeId: StoreId,
      requests: ReadonlyArray<CutoffRequest>
    ) => Effect.Effect<ReadonlyArray<CompactionGroup>, StorageError>
    /** What handlers failed on. */
    readonly failures: Failures
  }
>()("@eventlog-server/core/StoreProgress") {}
