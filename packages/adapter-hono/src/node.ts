import { type Mountable, webSocketOptions } from "@eventlog-server/core/adapter"
import type { serve } from "@hono/node-server"
import { WebSocketServer } from "ws"

/** What `serve` and `createAdaptorServer` of `@hono/node-server` take as `websocket.server`. */
export type NodeWebSocketServer = NonNullable<Parameters<typeof serve>[0]["websocket"]>["server"]

/**
 * The websocket server of a Hono app on Node, set up for an event-log server: its limits of frames, no compression, the
 * subprotocol, and no long wait for peers that are gone.
 *
 * ```ts
 * serve({ fetch: app.fetch, websocket: { server: webSocketServer(server) } })
 * ```
 *
 * One is enough for an app. Other websockets of the app get the same options.
 */
export const webSocketServer = (server: Pick<Mountable, "limits">): NodeWebSocketServer =>
  new WebSocketServer({ noServer: true, ...webSocketOptions(server.limits) }) as NodeWebSocketServer
