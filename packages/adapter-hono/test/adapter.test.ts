import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { eventLog } from "@eventlog-server/adapter-hono"
import { type NodeWebSocketServer, webSocketServer } from "@eventlog-server/adapter-hono/node"
import { type Mountable, webSocketOptions } from "@eventlog-server/core/adapter"
import { adapterSuite, type Mount } from "@eventlog-server/core/conformance"
import { serve, upgradeWebSocket } from "@hono/node-server"
import { getConnInfo } from "@hono/node-server/conninfo"
import { Hono } from "hono"
import type { StatusCode } from "hono/utils/http-status"
import { beforeEach, vi } from "vitest"
import { WebSocketServer } from "ws"

// The app's own websocket server is warned of, in each test.
beforeEach(() => {
  const warnings = vi.spyOn(console, "warn").mockImplementation(() => {})
  return () => warnings.mockRestore()
})

const mount =
  (socketsOf: (server: Mountable) => NodeWebSocketServer): Mount =>
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
    const websocket = { server: socketsOf(server) }
    const http = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0, websocket })
    await once(http, "listening")
    const close = async (): Promise<void> => {
      await server.close()
      http.close()
      await once(http, "close")
    }
    return { url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/eventlog`, close }
  }

adapterSuite("Hono on Node", mount(webSocketServer))

adapterSuite(
  "Hono on Node, with the app's own websocket server",
  mount(({ limits }) => {
    const { handleProtocols } = webSocketOptions(limits)
    return new WebSocketServer({ noServer: true, handleProtocols }) as NodeWebSocketServer
  })
)
