import { Wire, type WireOptions } from "@eventlog-server/testkit/devices"
import { schema, Todos } from "@eventlog-server/testkit/schema"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { EventLog } from "effect/eventlog"
import { TestClock } from "effect/testing"
import { EventLogServerAuth } from "../../src/backend/EventLogServerAuth.ts"
import { EventLogServerStoreRegistry } from "../../src/backend/EventLogServerStoreRegistry.ts"
import { FeedAdmin } from "../../src/backend/FeedAdmin.ts"
import { FeedStore } from "../../src/backend/FeedStore.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import { layerOf, makeMemoryState } from "../../src/memory/backend.ts"
import { EventLogServerUnencrypted, layer } from "../../src/server/EventLogServerUnencrypted.ts"
import type { ServerOptions } from "../../src/server/options.ts"

export const storeId = StoreId.make("store")

/** What a test may put in place of the parts of a server. */
export interface SceneOptions extends ServerOptions {
  readonly auth?: Partial<EventLogServerAuth["Service"]>
  readonly wrapStore?: (store: FeedStore["Service"]) => Partial<FeedStore["Service"]>
  readonly wrapAdmin?: (admin: FeedAdmin["Service"]) => Partial<FeedAdmin["Service"]>
  readonly wrapRegistry?: (
    registry: EventLogServerStoreRegistry["Service"]
  ) => Partial<EventLogServerStoreRegistry["Service"]>
}

const todoHandlers = EventLog.group(Todos, (handlers) =>
  handlers.handle("TodoAdded", () => Effect.void).handle("TodoToggled", () => Effect.void)
)

/** A whole server over a memory backend, with the parts that a test wrapped; its connections are `Wire`s. */
export const makeScene = Effect.fnUntraced(function* (options: SceneOptions = {}) {
  const { auth, wrapAdmin, wrapRegistry, wrapStore, ...serverOptions } = options
  // Entries are made by the real clock, and may not be far ahead of the server's.
  yield* TestClock.setTime(Date.now())
  const state = makeMemoryState()
  const backend = yield* Layer.build(layerOf(state))
  const store = Context.get(backend, FeedStore)
  const admin = Context.get(backend, FeedAdmin)
  const registry = Context.get(backend, EventLogServerStoreRegistry)
  const services = backend.pipe(
    Context.add(FeedStore, { ...store, ...wrapStore?.(store) }),
    Context.add(FeedAdmin, { ...admin, ...wrapAdmin?.(admin) }),
    Context.add(EventLogServerStoreRegistry, { ...registry, ...wrapRegistry?.(registry) }),
    Context.add(EventLogServerAuth, {
      authorizeRead: () => Effect.void,
      authorizeWrite: () => Effect.void,
      ...auth
    })
  )
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Effect.forkDetach(Scope.close(scope, Exit.void)))
  const built = yield* Layer.buildWithMemoMap(
    layer(schema, todoHandlers, { sessionAuth: "off", pingInterval: "1 day", ...serverOptions }).pipe(
      Layer.provide(Layer.succeedContext(services))
    ),
    Layer.makeMemoMapUnsafe(),
    scope
  )
  const server = Context.get(built, EventLogServerUnencrypted)
  yield* server.assign({ publicKey: "A", storeId })
  return {
    server,
    store,
    registry,
    connect: (wire: WireOptions = {}) => new Wire(server, wire),
    /** How many tails and workers listen to the store. */
    listeners: () => state.feeds.listeners.count(storeId),
    close: Scope.close(scope, Exit.void)
  }
})
export type Scene = Effect.Success<ReturnType<typeof makeScene>>
