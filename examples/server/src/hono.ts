import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { eventLog } from "@eventlog-server/adapter-hono"
import { webSocketServer } from "@eventlog-server/adapter-hono/node"
import { createAdaptorServer, upgradeWebSocket } from "@hono/node-server"
import { Hono } from "hono"
import { bodyLimit } from "hono/body-limit"
import { replyWith } from "./reply.ts"
import type { Start } from "./start.ts"

/** Runs on Hono. */
export const startHono: Start = async ({ server, routes, path, host, port }) => {
  const app = new Hono()

  app.route(path, eventLog({ server, upgradeWebSocket }))

  app.use(bodyLimit({ maxSize: 1024 * 1024 }))
  for (const { method, path: url, handle } of routes) {
    app.on(method, url, async (c) => {
      const { host, origin } = c.req.header()
      const { status, body } = await replyWith({ host, origin }, async () => handle(c.req.param(), await c.req.text()))
      return status === 204 ? c.body(null, 204) : Response.json(body, { status })
    })
  }

  const http = createAdaptorServer({ fetch: app.fetch, websocket: { server: webSocketServer(server) } })
  http.listen(port, host)
  await once(http, "listening")

  return {
    port: (http.address() as AddressInfo).port,
    close: async () => {
      await server.close()
      http.close()
      await once(http, "close")
    }
  }
}
