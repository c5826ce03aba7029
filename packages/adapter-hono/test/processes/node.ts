import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { webSocketServer } from "@eventlog-server/adapter-hono/node"
import { serve, upgradeWebSocket } from "@hono/node-server"
import { getConnInfo } from "@hono/node-server/conninfo"
import { serveFor } from "./serve.ts"

serveFor({
  upgradeWebSocket,
  getConnInfo,
  listen: async (app, server) => {
    const http = serve({
      fetch: app.fetch,
      hostname: "127.0.0.1",
      port: 0,
      websocket: { server: webSocketServer(server) }
    })
    await once(http, "listening")
    return { port: (http.address() as AddressInfo).port, stop: () => http.close() }
  }
})
