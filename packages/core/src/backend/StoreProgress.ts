import { Context, Data, type Duration, type Effect, type Exit, type Option, type Scope } from "effect"
import type { StorageError } from "./StorageError.ts"
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

/** The right to process a store's entries, held by one holder across all processes. */
export interface Lease {
  /** The sequence of the last processed entry when the lease was taken; 0 before the first. */
  readonly cursor: number
  /**
   * Moves the cursor up to `sequence`. Fenced: a holder that lost the lease moves nothing and is told so. A sequence
   * at or below the cursor moves nothing.
   */
  readonly advance: (sequence: number) => Effect.Effect<void, LeaseLostError | StorageError>
  /**
   * There where handlers share the cursor's transaction. Does some work in a transaction, whose last statement moves the
   * cursor to the sequence that the work answers, fenced as `advance` is: both are committed, or neither. An interruption
   * undoes it all.
   */
  readonly transaction?:
    | (<E, R>(
        work: (contain: Contain<StorageError>) => Effect.Effect<number, E, R>
      ) => Effect.Effect<void, E | LeaseLostError | StorageError, R>)
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

/** What the server remembers about a store besides its entries. */
export class StoreProgress extends Context.Service<
  StoreProgress,
  {
    /**
     * Takes the processing lease until the scope closes, or answers `None` while somebody else holds it. The holder
     * keeps it alive by itself; one that died loses it after the backend's lease time.
     */
    readonly lease: (storeId: StoreId) => Effect.Effect<Option.Option<Lease>, StorageError, Scope.Scope>
    /** The cursors of the stores, in their order, without taking a lease; 0 where nothing was processed. */
    readonly cursors: (storeIds: ReadonlyArray<StoreId>) => Effect.Effect<ReadonlyArray<number>, StorageError>
    /**
     * Raises the store's compaction cut-offs and answers all groups in force. The events of a request that are in no
     * group yet form a new one, for good. Each group that shares an event with a request has its cut-off raised to
     * `now - olderThan`, by the backend's own clock, rounded down to a minute. Neither ever shrinks.
     */
    readonly raiseCutoffs: (
      storeId: StoreId,
      requests: ReadonlyArray<CutoffRequest>
    ) => Effect.Effect<ReadonlyArray<CompactionGroup>, StorageError>
  }
>()("@eventlog-server/core/StoreProgress") {}
