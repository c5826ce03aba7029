import { type ClientStatus, EventLogClient } from "@eventlog-server/core/client"
import { Effect, Layer } from "effect"
import type { PausableWebSocket } from "./PausableWebSocket.ts"
import { Sync, type SyncStatus } from "./Sync.ts"

const toSyncStatus = (status: ClientStatus): SyncStatus => ({
  connection: status.connection,
  caughtUp: status.caughtUp,
  pendingWrites: status.pendingWrites,
  mayBeMore: !status.pendingCounted,
  cursor: status.cursor,
  lastError: status.lastError?.cause.message
})

/** The client of this repository. */
export const layerEventLogSync = (socket: PausableWebSocket) =>
  Layer.effect(
    Sync,
    Effect.map(EventLogClient, (client) => ({
      status: () => toSyncStatus(client.status()),
      subscribe: (listener) => client.subscribe((status) => listener(toSyncStatus(status))),
      reconnect: client.reconnect
    }))
  ).pipe(
    Layer.provide(
      EventLogClient.layer({
        url: () => socket.urlUnlessPaused(`${location.origin.replace(/^http/, "ws")}/eventlog`),
        WebSocket: socket.Class,
        // Somebody is watching: they shouldn't wait half a minute once the server is back.
        backoffMaximum: "3 seconds"
      })
    )
  )
