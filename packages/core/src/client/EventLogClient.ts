import { Context, Effect, Layer, type Scope } from "effect"
import type { EventLog } from "effect/eventlog"
import { Socket } from "effect/socket"
import { type Client, runClient } from "./client.ts"
import type { ClientOptions } from "./options.ts"
import { makeWebSocket, type WebSocketOptions } from "./webSocket.ts"

/** The options of a client that dials a websocket itself. */
export interface EventLogClientOptions extends ClientOptions, WebSocketOptions {}

/**
 * Keeps effect's `EventLog` in sync with a server, and tells how that goes.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { EventGroup, EventJournal, EventLog } from "effect/eventlog"
 * import { EventLogClient, layerIdentity } from "@eventlog-server/core/client"
 *
 * const Todos = EventGroup.empty.add({
 *   tag: "TodoAdded",
 *   primaryKey: (todo) => todo.id,
 *   payload: Schema.Struct({ id: Schema.String, text: Schema.String })
 * })
 * const schema = EventLog.schema(Todos)
 * const handlers = EventLog.group(Todos, (_) => _.handle("TodoAdded", ({ payload }) => Effect.log(payload)))
 *
 * const app = EventLogClient.layer({ url: "wss://example.com/eventlog" }).pipe(
 *   Layer.provideMerge(EventLog.layer(schema, handlers)),
 *   Layer.provide([EventJournal.layerIndexedDb(), layerIdentity({ storage: localStorage })])
 * )
 * ```
 */
export class EventLogClient extends Context.Service<EventLogClient, Client>()(
  "@eventlog-server/core/client/EventLogClient"
) {
  /**
   * A client that runs as long as the layer. Building it never waits for the network and never fails: an app starts
   * offline like online.
   *
   * It needs the `Registry` that `EventLog.layer` provides. Give it the `EventJournal` too (as in the example), and
   * `pendingWrites` counts what is written offline at once.
   */
  static readonly layer = (options: EventLogClientOptions): Layer.Layer<EventLogClient, never, EventLog.Registry> =>
    Layer.effect(
      EventLogClient,
      Effect.flatMap(makeWebSocket(options), (socket) => make(socket, options))
    )

  /** The same on a `Socket` of effect's, which is dialed anew for each connection. */
  static readonly layerSocket = (
    options: ClientOptions = {}
  ): Layer.Layer<EventLogClient, never, EventLog.Registry | Socket.Socket> =>
    Layer.effect(
      EventLogClient,
      Effect.flatMap(Socket.Socket, (socket) => make(socket, options))
    )
}

const ignore = () => {}

const make = (
  socket: Socket.Socket,
  options: ClientOptions
): Effect.Effect<Client, never, Scope.Scope | EventLog.Registry> =>
  runClient(socket, options, { onRegistered: ignore, onFailure: ignore })
