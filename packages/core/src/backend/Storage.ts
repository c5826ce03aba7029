import { type Cause, Context, type Effect, type Queue, type Scope } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { FeedLostError, StorageError, StoreErasedError } from "./StorageError.ts"
import type { StoreId } from "./StoreId.ts"

/**
 * A thin view of a `FeedStore` for those who think in entries: write some, read some, follow changes. The server itself
 * uses `FeedStore`.
 */
export class Storage extends Context.Service<
  Storage,
  {
    /** See `FeedAdmin.id`. */
    readonly getId: Effect.Effect<EventJournal.RemoteId, StorageError>
    /**
     * Appends entries that handlers will see. `sequenceNumbers` has one slot for each input, in input order;
     * `committed` holds those that the store did not have before.
     */
    readonly write: (options: {
      readonly storeId: StoreId
      readonly entries: ReadonlyArray<EventJournal.Entry>
    }) => Effect.Effect<
      {
        readonly sequenceNumbers: ReadonlyArray<number>
        readonly committed: ReadonlyArray<EventJournal.RemoteEntry>
      },
      StorageError | StoreErasedError | FeedLostError
    >
    /** All entries from `startSequence` (inclusive; 0 is 1) up to the head. Unbounded: prefer `changes` for much. */
    readonly entries: (
      storeId: StoreId,
      startSequence: number
    ) => Effect.Effect<ReadonlyArray<EventJournal.RemoteEntry>, StorageError | StoreErasedError | FeedLostError>
    /** The entries from `startSequence` on, then those to come, in order, through a bounded queue. */
    readonly changes: (
      storeId: StoreId,
      startSequence: number
    ) => Effect.Effect<
      Queue.Dequeue<EventJournal.RemoteEntry, StorageError | StoreErasedError | FeedLostError | Cause.Done>,
      never,
      Scope.Scope
    >
  }
>()("@eventlog-server/core/Storage") {}
