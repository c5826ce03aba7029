import { eventLog } from "@eventlog-server/adapter-hono"
import { Hono } from "hono"
import type { UpgradeWebSocket } from "hono/ws"
import { server } from "./server.ts"

/** The app, given what each runtime has of its own. */
export const makeApp = (upgradeWebSocket: UpgradeWebSocket) =>
  new Hono().route("/eventlog", eventLog({ server, upgradeWebSocket })).get("/healthz", async (c) => {
    const { status } = await server.health()
    return c.json({ status }, status === "ok" ? 200 : 503)
  })
