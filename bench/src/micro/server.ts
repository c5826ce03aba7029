import { groupCompaction, keepLast, memoryBackend } from "@eventlog-server/core"
import { EventLogServerUnencrypted, layer, layerAuthAllowAll, StoreId } from "@eventlog-server/core/effect"
import { schema, Todos } from "@eventlog-server/example-todo/schema"
import { Effect, Layer, ManagedRuntime } from "effect"
import { EventLog } from "effect/eventlog"

/** Handlers that do nothing. */
const handlers = EventLog.group(Todos, (handlers) =>
  handlers
    .handle("TodoAdded", () => Effect.void)
    .handle("TodoRenamed", () => Effect.void)
    .handle("TodoToggled", () => Effect.void)
    .handle("TodoRemoved", () => Effect.void)
)

/** The store that everything is written to, and the key that reads it. */
export const storeId = StoreId.make("store")
export const publicKey = "key"

/** A server on memory in this process, that compacts what is a day old. */
export const makeServer = async () => {
  const runtime = ManagedRuntime.make(
    groupCompaction(Todos, { olderThan: "1 day" }, keepLast()).pipe(
      Layer.provideMerge(layer(schema, handlers, { sessionAuth: "off" })),
      Layer.provide([memoryBackend().layer, layerAuthAllowAll])
    )
  )
  const server = await runtime.runPromise(EventLogServerUnencrypted)
  await runtime.runPromise(server.assign({ publicKey, storeId }))
  return { server, run: runtime.runPromise }
}
