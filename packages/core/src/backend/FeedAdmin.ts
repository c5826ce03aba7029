import { Context, type Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { StorageError } from "./StorageError.ts"
import type { StoreId } from "./StoreId.ts"

/** A store and the last committed sequence of its feed. */
export interface StoreHead {
  readonly storeId: StoreId
  readonly head: number
}

/** What operators and the sweep need of a backend beyond single stores. */
export class FeedAdmin extends Context.Service<
  FeedAdmin,
  {
    /** Up to `limit` stores that have entries, in a stable order, those after `after`; `undefined` starts over. */
    readonly heads: (after: StoreId | undefined, limit: number) => Effect.Effect<ReadonlyArray<StoreHead>, StorageError>
    /**
     * Erases a store's entries, cursor and cut-offs for good. A tombstone keeps the id from ever being used again;
     * leases on it are lost and its wake-ups emit. Erasing a store twice, or one that never was, is no error.
     */
    readonly erase: (storeId: StoreId) => Effect.Effect<void, StorageError>
    /**
     * Gives the backend a new id, for an operator who restored a backup: devices then treat the server as a new remote
     * and send what it lost. Those that are connected are closed within `reauthorizeInterval`, and come back. Answers the
     * new id.
     */
    readonly rotateId: Effect.Effect<EventJournal.RemoteId, StorageError>
  }
>()("@eventlog-server/core/FeedAdmin") {}
