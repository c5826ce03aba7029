import {
  type BackendServices,
  EventLogServerStoreRegistry,
  FeedAdmin,
  FeedStore,
  StoreProgress
} from "@eventlog-server/core/backend"
import { Context, Effect, Exit, Layer, Scope } from "effect"

/** The ports of one node. */
export interface Node {
  readonly feeds: FeedStore["Service"]
  readonly admin: FeedAdmin["Service"]
  readonly progress: StoreProgress["Service"]
  readonly registry: EventLogServerStoreRegistry["Service"]
  readonly close: () => Promise<void>
}

/** Builds a node, to be closed by hand. */
export const openNode = async (layer: Layer.Layer<BackendServices>): Promise<Node> => {
  const scope = Scope.makeUnsafe()
  const services = await Effect.runPromise(Layer.buildWithMemoMap(layer, Layer.makeMemoMapUnsafe(), scope))
  return {
    feeds: Context.get(services, FeedStore),
    admin: Context.get(services, FeedAdmin),
    progress: Context.get(services, StoreProgress),
    registry: Context.get(services, EventLogServerStoreRegistry),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
