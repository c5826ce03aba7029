import { EventLogClient, generateIdentity } from "@eventlog-server/core/client"
import { Context, Effect, Exit, Layer, ManagedRuntime, Scope } from "effect"
import { EventJournal, EventLog, EventLogRemote, EventRow } from "effect/eventlog"
import { RpcClient, RpcSerialization } from "effect/rpc"
import { Socket } from "effect/socket"
import { WebSocket } from "ws"
import { Groceries, Grocery, type GroceryWrite, schema } from "./groceries.ts"

type Client = Layer.Layer<never, EventLogRemote.EventLogRemoteError, EventLog.Registry>

/** The clients that a device can sync with: ours, or effect's own, which the server serves at `/rpc`. */
const clients: Record<"ours" | "effects", (url: string) => Client> = {
  ours: (url) => EventLogClient.layer({ url }),
  effects: (url) =>
    EventLogRemote.layerUnencrypted.pipe(
      Layer.provide(RpcClient.layerProtocolSocket({ retryTransientErrors: true })),
      Layer.provide(RpcSerialization.layerSchemaBinary()),
      Layer.provide(Socket.layerWebSocket(`${url}/rpc`)),
      Layer.provide(
        Layer.succeed(Socket.WebSocketConstructor, (url) => new WebSocket(url) as unknown as globalThis.WebSocket)
      )
    )
}

/** A device. It works without the server; what was written meanwhile is sent when it is connected. */
export interface Device {
  /** What its handlers made of the events. */
  readonly rows: ReadonlyMap<string, Grocery>
  readonly write: (write: GroceryWrite) => Promise<void>
  /** Resolves when it may sync; its entries come and go from then on. */
  readonly connect: () => Promise<void>
  readonly disconnect: () => Promise<void>
  readonly close: () => Promise<void>
}

/** The same three operations as on the server, on rows in memory. A browser would keep them in IndexedDB. */
const handlersOn = (rows: Map<string, Grocery>) =>
  EventLog.group(Groceries, (on) =>
    on.handle(
      "grocery",
      EventRow.handler(Grocery, {
        set: (row) => Effect.sync(() => rows.set(row.id, row)),
        patch: (id, fields) =>
          Effect.sync(() => {
            const row = rows.get(id)
            if (row !== undefined) rows.set(id, { ...row, ...fields })
          }),
        remove: (id) => Effect.sync(() => rows.delete(id))
      })
    )
  )

/** Opens a new device, offline. @param url where the server is mounted */
export const openDevice = async (url: string, client: keyof typeof clients): Promise<Device> => {
  const rows = new Map<string, Grocery>()
  const runtime = ManagedRuntime.make(
    EventLog.layer(schema, Layer.mergeAll(handlersOn(rows), EventRow.compaction(Groceries, Grocery))).pipe(
      Layer.provideMerge([EventJournal.layerMemory, Layer.effect(EventLog.Identity, generateIdentity)])
    )
  )
  const context = await runtime.context()
  const log = Context.get(context, EventLog.EventLog)
  let connection: Scope.Closeable | undefined
  const disconnect = async () => {
    const scope = connection
    connection = undefined
    if (scope !== undefined) await runtime.runPromise(Scope.close(scope, Exit.void))
  }
  return {
    rows,
    write: (write) => runtime.runPromise(log.write({ schema, ...write })),
    connect: async () => {
      await disconnect()
      connection = Scope.makeUnsafe()
      await runtime.runPromise(Layer.buildWithScope(clients[client](url), connection))
    },
    disconnect,
    close: async () => {
      await disconnect()
      await runtime.dispose()
    }
  }
}
