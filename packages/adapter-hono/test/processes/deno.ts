import { getConnInfo, upgradeWebSocket } from "hono/deno"
import { serveFor } from "./serve.ts"

declare const Deno: {
  readonly serve: (
    options: object,
    handler: unknown
  ) => { readonly addr: { readonly port: number }; readonly shutdown: () => unknown }
}

serveFor({
  upgradeWebSocket,
  getConnInfo,
  listen: (app) => {
    const http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch)
    return { port: http.addr.port, stop: () => void http.shutdown() }
  }
})
