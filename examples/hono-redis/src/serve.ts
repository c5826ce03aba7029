import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { webSocketServer } from "@eventlog-server/adapter-hono/node"
import { createAdaptorServer } from "@hono/node-server"
import type { createApp } from "./app.ts"

/** Serves the app on a port, 0 for a free one; answers where, and how to stop. */
export const serve = async ({ app, server }: ReturnType<typeof createApp>, port: number) => {
  const http = createAdaptorServer({ fetch: app.fetch, websocket: { server: webSocketServer(server) } })
  http.listen(port, "127.0.0.1")
  await once(http, "listening")
  return {
    url: `http://localhost:${(http.address() as AddressInfo).port}`,
    stop: async () => {
      await server.close()
      http.close()
      await once(http, "close")
    }
  }
}
