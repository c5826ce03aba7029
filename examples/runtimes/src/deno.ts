import process from "node:process"
import { upgradeWebSocket } from "hono/deno"
import { makeApp } from "./app.ts"
import { server } from "./server.ts"

/** What is used of Deno's own, for TypeScript outside of Deno. */
declare const Deno: {
  readonly serve: (options: { readonly port: number }, handler: ReturnType<typeof makeApp>["fetch"]) => unknown
}

// `deno serve` would close devices itself when it is told to end, with 1001 and without when to come back.
Deno.serve({ port: Number(process.env.PORT ?? 3000) }, makeApp(upgradeWebSocket).fetch)
process.once("SIGTERM", () => server.close().then(() => process.exit()))
