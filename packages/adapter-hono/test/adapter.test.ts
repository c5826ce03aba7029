import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { eventLog } from "@eventlog-server/adapter-hono"
import { adapterSuite, type Mount } from "@eventlog-server/core/conformance"
import { serve, upgradeWebSocket, type WebSocketServerLike } from "@hono/node-server"
import { getConnInfo } from "@hono/node-server/conninfo"
import { Hono } from "hono"
import type { StatusCode } from "hono/utils/http-status"
import { WebSocketServer } from "ws"

/** The cast is for exactOptionalPropertyTypes, which tells the two types of `noServer` apart. */
const webSocketServer = (maxPayload: number | undefined): WebSocketServerLike =>
  new WebSocketServer({ noServer: true, maxPayload }) as WebSocketServerLike

const mount =
  (maxPayload: (limit: number) => number | undefined): Mount =>
  async ({ allowedOrigins, authenticate, refuse, server }) => {
    const app = new Hono()
    if (refuse !== undefined) app.use((c) => Promise.resolve(c.body(null, refuse as StatusCode)))
    app.route(
      "/eventlog",
      eventLog({
        server,
        upgradeWebSocket,
        getConnInfo,
        authenticate: authenticate && ((c) => authenticate((name) => c.req.header(name))),
        allowedOrigins
      })
    )
    const websocket = { server: webSocketServer(maxPayload(server.limits.maxFrameBytes)) }
    const http = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0, websocket })
    await once(http, "listening")
    const close = async (): Promise<void> => {
      await server.close()
      http.close()
      await once(http, "close")
    }
    return { url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/eventlog`, close }
  }

adapterSuite(
  "Hono on Node",
  mount((limit) => limit)
)

adapterSuite(
  "Hono on Node, with the default maxPayload of ws",
  mount(() => undefined)
)
