import { webSocketHandler } from "@eventlog-server/adapter-hono/bun"
import { getConnInfo, upgradeWebSocket, websocket } from "hono/bun"
import { serveFor } from "./serve.ts"

declare const Bun: {
  readonly serve: (options: object) => { readonly port: number; readonly stop: (now: boolean) => unknown }
}

serveFor({
  upgradeWebSocket,
  getConnInfo,
  listen: (app, server) => {
    const http = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: app.fetch,
      websocket: webSocketHandler(server, websocket)
    })
    return { port: http.port, stop: () => void http.stop(false) }
  }
})
