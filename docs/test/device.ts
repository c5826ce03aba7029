import { type ClientStatus, EventLogClient, generateIdentity } from "@eventlog-server/core/client"
import { Effect, Layer, ManagedRuntime, Schema, Stream } from "effect"
import { EventGroup, EventJournal, EventLog } from "effect/eventlog"
import { onTestFinished } from "vitest"
import { WebSocket } from "ws"

/** What the snippets' groups have in common. */
const Todos = EventGroup.empty.add({
  tag: "TodoAdded",
  primaryKey: (todo) => todo.id,
  payload: Schema.Struct({ id: Schema.String, text: Schema.String })
})
const schema = EventLog.schema(Todos)
const handlers = EventLog.group(Todos, (handlers) => handlers.handle("TodoAdded", () => Effect.void))

/** A new device with the client of this repository, until the test is over. */
export const openDevice = async (url: string, headers: Record<string, string> = {}) => {
  const runtime = ManagedRuntime.make(
    EventLogClient.layer({
      url,
      WebSocket: class extends WebSocket {
        constructor(url: string, protocols?: string | Array<string>) {
          super(url, protocols, { headers })
        }
      }
    }).pipe(
      Layer.provideMerge(EventLog.layer(schema, handlers)),
      Layer.provide([EventJournal.layerMemory, Layer.effect(EventLog.Identity, generateIdentity)])
    )
  )
  onTestFinished(() => runtime.dispose())
  const client = await runtime.runPromise(EventLogClient)
  const write = await runtime.runPromise(EventLog.makeClient(schema))
  return {
    add: (text: string) => runtime.runPromise(write({ event: "TodoAdded", payload: { id: text, text } })),
    /** The first status, from now on, that fits. */
    until: (fits: (status: ClientStatus) => boolean): Promise<ClientStatus> =>
      runtime.runPromise(Effect.flatMap(Stream.runHead(Stream.filter(client.statusChanges, fits)), Effect.fromOption))
  }
}
