import { webSocketServer } from "@eventlog-server/adapter-hono/node"
import { serve, upgradeWebSocket } from "@hono/node-server"
import { makeApp } from "./app.ts"
import { server } from "./server.ts"

const websocket = { server: webSocketServer(server) }
const port = Number(process.env.PORT ?? 3000)
const http = serve({ fetch: makeApp(upgradeWebSocket).fetch, port, websocket }, ({ port }) =>
  console.log(`http://localhost:${port}`)
)
process.once("SIGTERM", () => server.close().then(() => http.close()))
