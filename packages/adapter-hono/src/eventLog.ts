import { isOriginAllowed } from "@eventlog-server/core"
import { type Context, Hono, type MiddlewareHandler } from "hono"
import { connectionEvents } from "./connectionEvents.ts"
import type { EventLogOptions } from "./options.ts"

/**
 * Mounts an event-log server into a Hono app: `app.route("/eventlog", eventLog({ server, upgradeWebSocket }))`. Clients of
 * effect's own connect at `/eventlog/rpc` then. Middleware before it runs before the upgrade and may refuse it.
 */
export const eventLog = (options: EventLogOptions): Hono => {
  const { allowedOrigins = "same-origin", authenticate, getConnInfo, server, upgradeWebSocket } = options
  const principals = new WeakMap<Context, unknown>()
  const app = new Hono()

  const admit: MiddlewareHandler = async (c, next) => {
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
  }

  for (const { path, protocol } of server.endpoints) {
    const route = path === "" ? "/" : path
    app.use(route, admit)
    app.get(
      route,
      upgradeWebSocket((c) => {
        const info = {
          remoteAddress: getConnInfo?.(c).remote.address,
          headers: c.req.header(),
          principal: principals.get(c)
        }
        return connectionEvents(server, info, protocol)
      })
    )
  }
  return app
}
