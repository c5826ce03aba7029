import { EventLogClient } from "@eventlog-server/core/client"
import { Context, Effect, Exit, Layer, Logger, Scope } from "effect"
import { EventLog } from "effect/eventlog"
import { type App, type AppOptions, type InstallApp, layerEventLog } from "./app.ts"
import { tappedWebSocket } from "./wireTap.ts"

/** An app on the client of this project. Its protocol numbers requests, so the wire itself is written down. */
export const installEventLogApp: InstallApp = (options) => {
  const webSocket = tappedWebSocket(options.device, options.recorder)
  return () => open(options, webSocket)
}

const open = async ({ disk, url }: AppOptions, WebSocket: ReturnType<typeof tappedWebSocket>): Promise<App> => {
  const scope = Scope.makeUnsafe()
  const layer = EventLogClient.layer({
    url: () => url("/"),
    WebSocket,
    backoffMinimum: 50,
    backoffMaximum: 1_000,
    stableAfter: 500,
    connectTimeout: 4_000,
    pingInterval: 1_500,
    pingTimeout: 1_500,
    closeTimeout: 200
  }).pipe(Layer.provideMerge(layerEventLog(disk)), Layer.provideMerge(Logger.layer([])))
  const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  const client = Context.get(context, EventLogClient)
  return {
    log: Context.get(context, EventLog.EventLog),
    wake: () => Effect.runPromise(client.reconnect),
    isSynced: async (head) => {
      const { cursor, pendingWrites } = client.status()
      return pendingWrites === 0 && cursor >= head
    },
    describe: async () => {
      const { connection, cursor, lastError, pendingWrites } = client.status()
      return `${connection}, ${pendingWrites} pending, cursor ${cursor}, last error: ${lastError ?? "none"}`
    },
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
