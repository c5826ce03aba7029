import { AddedTodos, addedSchema } from "@eventlog-server/testkit/schema"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { EventJournal, EventLog, EventLogRemote } from "effect/eventlog"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket"
import { WebSocket } from "ws"
import { type Disk, makeDisk } from "../../client/todos.ts"

/** An app that runs effect's `EventLog` with effect's own remote: nothing of it is ours. */
export interface StockDevice {
  readonly disk: Disk
  readonly add: (id: string, text?: string) => Effect.Effect<void>
  /** Ids of what the journal holds. */
  readonly entryIds: Effect.Effect<ReadonlyArray<string>>
  /** The sequence that the journal asks for next. */
  readonly next: Effect.Effect<number>
  readonly remote: EventLogRemote.EventLogRemote["Service"]
  readonly close: Effect.Effect<void>
}

/** The layers that an app's documentation would show, but for the class of its websockets. */
export const layerStockRemote = (url: string) =>
  EventLogRemote.layerUnencrypted.pipe(
    Layer.provide(RpcClient.layerProtocolSocket({ retryTransientErrors: true })),
    Layer.provide(RpcSerialization.layerSchemaBinary()),
    Layer.provide(Socket.layerWebSocket(url)),
    Layer.provide(
      Layer.succeed(
        Socket.WebSocketConstructor,
        (url) => new WebSocket(url, { perMessageDeflate: false }) as unknown as globalThis.WebSocket
      )
    )
  )

/** Opens a device. It is closed with the scope, if not before. */
export const openStockDevice = Effect.fnUntraced(function* (
  url: string,
  options: { readonly disk?: Disk; readonly storeId?: string } = {}
): Effect.fn.Return<StockDevice, EventLogRemote.EventLogRemoteError, Scope.Scope> {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const { identity, journal, todos } = options.disk ?? (yield* makeDisk)
  const handlers = EventLog.group(AddedTodos, (_) =>
    _.handle("TodoAdded", ({ payload }) => Effect.sync(() => todos.set(payload.id, payload.text)))
  )
  const app = layerStockRemote(url).pipe(
    Layer.provideMerge(EventLog.layer(addedSchema, handlers)),
    Layer.provide([Layer.succeed(EventJournal.EventJournal, journal), Layer.succeed(EventLog.Identity, identity)])
  )
  const context = yield* Layer.buildWithScope(app, scope)
  const log = Context.get(context, EventLog.EventLog)
  const remote = Context.get(context, EventLogRemote.EventLogRemote)
  return {
    disk: { identity, journal, todos },
    remote,
    add: (id, text = id) => Effect.orDie(log.write({ schema: addedSchema, event: "TodoAdded", payload: { id, text } })),
    entryIds: Effect.map(Effect.orDie(journal.entries), (entries) => entries.map((entry) => entry.idString)),
    next: Effect.orDie(journal.nextRemoteSequence(remote.id)),
    close: Scope.close(scope, Exit.void)
  }
})

/** Effect's own remote without a runtime that reads from it, so that a test does. It is closed with the scope. */
export const openStockRemote = (url: string) =>
  Effect.map(Layer.build(layerStockRemote(url).pipe(Layer.provide(EventLog.layerRegistry))), (context) =>
    Context.get(context, EventLogRemote.EventLogRemote)
  )
