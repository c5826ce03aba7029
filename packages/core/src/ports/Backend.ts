import type { Layer } from "effect"
import type { EventLogServerStoreRegistry } from "./EventLogServerStoreRegistry.ts"
import type { FeedAdmin } from "./FeedAdmin.ts"
import type { FeedStore } from "./FeedStore.ts"
import type { StoreProgress } from "./StoreProgress.ts"

/** Every port that a storage package provides. */
export type BackendServices = FeedStore | FeedAdmin | StoreProgress | EventLogServerStoreRegistry

/**
 * A storage, ready to use: one value that provides every port. `memoryBackend()` is one. Building the layer twice gives
 * two servers on the same storage.
 */
export interface Backend {
  readonly layer: Layer.Layer<BackendServices>
}
