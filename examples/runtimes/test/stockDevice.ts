import { generateIdentity } from "@eventlog-server/core/client"
import { AddedTodos, addedSchema } from "@eventlog-server/testkit/schema"
import { Effect, Layer, ManagedRuntime } from "effect"
import { EventJournal, EventLog, EventLogRemote } from "effect/eventlog"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket"
import { onTestFinished } from "vitest"
import { WebSocket } from "ws"

/** A new device with effect's own client, until the test is over. */
export const openStockDevice = async (url: string) => {
  const seen: Array<string> = []
  const handlers = EventLog.group(AddedTodos, (on) =>
    on.handle("TodoAdded", ({ payload }) => Effect.sync(() => void seen.push(payload.text)))
  )
  const runtime = ManagedRuntime.make(
    EventLogRemote.layerUnencrypted.pipe(
      Layer.provide(RpcClient.layerProtocolSocket({ retryTransientErrors: true })),
      Layer.provide(RpcSerialization.layerSchemaBinary()),
      Layer.provide(Socket.layerWebSocket(url.replace(/^http/, "ws"))),
      Layer.provide(Layer.succeed(Socket.WebSocketConstructor, (url) => new WebSocket(url))),
      Layer.provideMerge(EventLog.layer(addedSchema, handlers)),
      Layer.provideMerge([EventJournal.layerMemory, Layer.effect(EventLog.Identity, generateIdentity)])
    )
  )
  onTestFinished(() => runtime.dispose())
  const write = await runtime.runPromise(EventLog.makeClient(addedSchema))
  return {
    seen,
    add: (text: string) => runtime.runPromise(write({ event: "TodoAdded", payload: { id: text, text } }))
  }
}
