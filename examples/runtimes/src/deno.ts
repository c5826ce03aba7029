import process from "node:process"
import { upgradeWebSocket } from "hono/deno"
import { makeApp } from "./app.ts"
import { server } from "./server.ts"

process.once("SIGTERM", () => server.close().then(() => process.exit()))

// biome-ignore lint/style/noDefaultExport: it is how Deno finds what to serve
export default { fetch: makeApp(upgradeWebSocket).fetch }
