import { Layer } from "effect"
import type { Backend, BackendServices } from "../backend/Backend.ts"
import { EventLogServerStoreRegistry } from "../backend/EventLogServerStoreRegistry.ts"
import { FeedAdmin } from "../backend/FeedAdmin.ts"
import { FeedStore } from "../backend/FeedStore.ts"
import { StoreProgress } from "../backend/StoreProgress.ts"
import { makeFeedAdmin } from "./feedAdmin.ts"
import { makeFeedStore } from "./feedStore.ts"
import { type FeedState, makeFeedState, makeProgressState, type ProgressState } from "./MemoryState.ts"
import { makeStoreProgress } from "./storeProgress.ts"
import { makeRegistryState, makeStoreRegistry, type RegistryState } from "./storeRegistry.ts"

/** Everything that a memory backend holds. */
export interface MemoryState {
  readonly feeds: FeedState
  readonly progress: ProgressState
  readonly registry: RegistryState
}

export const makeMemoryState = (): MemoryState => {
  const feeds = makeFeedState()
  return { feeds, progress: makeProgressState(feeds.erased), registry: makeRegistryState() }
}

/** Every port over the same state. */
export const layerOf = (state: MemoryState): Layer.Layer<BackendServices> =>
  Layer.sync(FeedStore, () => makeFeedStore(state.feeds)).pipe(
    Layer.provideMerge(Layer.sync(FeedAdmin, () => makeFeedAdmin(state.feeds, state.progress))),
    Layer.provideMerge(Layer.sync(StoreProgress, () => makeStoreProgress(state.progress, state.feeds))),
    Layer.provideMerge(Layer.sync(EventLogServerStoreRegistry, () => makeStoreRegistry(state.registry)))
  )

/**
 * A backend that keeps everything in this process: the reference for other backends, and the one for tests and local
 * development. Its state is made by this call, so two servers that are given the same backend are two nodes on one
 * storage. Nothing survives the process; an Ack means that the entries are in memory.
 */
export const memoryBackend = (): Backend => ({ layer: layerOf(makeMemoryState()) })
