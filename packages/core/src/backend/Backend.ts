import type { Layer } from "effect"
import type { EventLogServerStoreRegistry } from "./EventLogServerStoreRegistry.ts"
import type { FeedAdmin } from "./FeedAdmin.ts"
import type { FeedStore } from "./FeedStore.ts"
import type { StoreProgress } from "./StoreProgress.ts"

/** Every port that a storage package provides. */
export type BackendServices = FeedStore | FeedAdmin | StoreProgress | EventLogServerStoreRegistry

/** How plain functions that handle entries take part in the backend's transactions. */
export interface HandlerTransactions<Transaction> {
  /** Calls a function that is given the transaction. */
  readonly enter: <A>(transaction: Transaction, call: () => A) => A
  /** Whether whoever asks was called so, itself or through others, and the transaction is still open. */
  readonly isInside: () => boolean
}

/**
 * A storage, ready to use: one value that provides every port. `memoryBackend()` is one. Building the layer twice gives
 * two servers on the same storage. Where handlers share the cursor's transaction, `Transaction` is what they are given.
 */
export interface Backend<Transaction = undefined> {
  readonly layer: Layer.Layer<BackendServices>
  readonly transactions?: HandlerTransactions<Transaction> | undefined
}
