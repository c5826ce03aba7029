import { webSocketHandler } from "@eventlog-server/adapter-hono/bun"
import { upgradeWebSocket, websocket } from "hono/bun"
import { makeApp } from "./app.ts"
import { server } from "./server.ts"

process.once("SIGTERM", () => server.close().then(() => process.exit()))

// biome-ignore lint/style/noDefaultExport: it is how Bun finds what to serve
export default {
  fetch: makeApp(upgradeWebSocket).fetch,
  port: Number(process.env.PORT ?? 3000),
  websocket: webSocketHandler(server, websocket)
}
