import { Context, type Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { StorageError } from "./StorageError.ts"
import type { StoreId } from "./StoreId.ts"

/** A store, the last committed sequence of its feed, and how far handlers are with it. */
export interface StoreHead {
  readonly storeId: StoreId
  readonly head: number
  /** The sequence of the last processed entry; 0 before the first. */
  readonly processed: number
}

/** What became of an attempt to give the backend a new id. */
export interface Rotation {
  /** The id in force. */
  readonly id: EventJournal.RemoteId
  /** Whether it is new by this call: of several that expect the same id one makes the new one. */
  readonly isNew: boolean
}

/** What there is of a backend beyond single stores, for operators and for a feed that was lost. */
export class FeedAdmin extends Context.Service<
  FeedAdmin,
  {
    /**
     * The durable identity of this backend, 16 bytes, announced to devices as their remote's id. It only changes by
     * `rotateId`, and belongs to the caller.
     */
    readonly id: Effect.Effect<EventJournal.RemoteId, StorageError>
    /**
     * Gives the backend a new id in place of `expected`, once for all nodes; where it has another one already, that one
     * stays. Devices then treat the server as a new remote and send what they hold. Those that are connected are closed
     * within `reauthorizeInterval`, and come back.
     */
    readonly rotateId: (expected: EventJournal.RemoteId) => Effect.Effect<Rotation, StorageError>
    /**
     * Looks whether everything is there that the backend needs: the storage answers, it is the one that was declared, and
     * what has to be made in it was made. It changes nothing that was committed, may be asked again and again, and need not end
     * while the storage is away: the server has a time limit. The error's `advice` says what to do.
     */
    readonly check: Effect.Effect<void, StorageError>
    /** Up to `limit` stores that have entries, in a stable order, those after `after`; `undefined` starts over. */
    readonly heads: (after: StoreId | undefined, limit: number) => Effect.Effect<ReadonlyArray<StoreHead>, StorageError>
    /**
     * Erases a store's entries, cursor, failures and cut-offs for good. A tombstone keeps the id from ever being used again;
     * leases on it are lost and its wake-ups emit. Erasing a store twice, or one that never was, is no error.
     */
    readonly erase: (storeId: StoreId) => Effect.Effect<void, StorageError>
  }
>()("@eventlog-server/core/FeedAdmin") {}
