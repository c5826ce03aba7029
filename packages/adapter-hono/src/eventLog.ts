import { isOriginAllowed } from "@eventlog-server/core"
import { type Context, Hono } from "hono"
import { connectionEvents } from "./connectionEvents.ts"
import type { EventLogOptions } from "./options.ts"

/**
 * Mounts an event-log server into a Hono app: `app.route("/eventlog", eventLog({ server, upgradeWebSocket }))`.
 * Middleware before it runs before the upgrade and may refuse it.
 */
export const eventLog = (options: EventLogOptions): Hono => {
  const { allowedOrigins = "same-origin", authenticate, getConnInfo, server, upgradeWebSocket } = options
  const principals = new WeakMap<Context, unknown>()
  const app = new Hono()

  app.use("/", async (c, next) => {
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
      return c.body(null, 426, { connection: "upgrade", upgrade: "websocket" })
    }
    const { host = new URL(c.req.url).host, origin } = c.req.header()
    if (!isOriginAllowed({ host, origin }, allowedOrigins)) return c.body(null, 403)
    try {
      principals.set(c, await authenticate?.(c))
    } catch {
      return c.body(null, 401)
    }
    return next()
  })

  return app.get(
    "/",
    upgradeWebSocket((c) =>
      connectionEvents(server, {
        remoteAddress: getConnInfo?.(c).remote.address,
        headers: c.req.header(),
        principal: principals.get(c)
      })
    )
  )
}
