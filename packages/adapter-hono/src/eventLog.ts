import type { ConnectionInfo, Limits } from "@eventlog-server/core"
import { checkOptions, isOriginAllowed, upgradeRequired } from "@eventlog-server/core/adapter"
import { type Context, Hono, type MiddlewareHandler } from "hono"
import { connectionEvents } from "./connectionEvents.ts"
import { type EventLogOptions, expectedOptions } from "./options.ts"
import type { NodeBindings } from "./runtimes/node.ts"
import { runtimeWarning } from "./runtimes/warning.ts"

/** Tells of the runtime when the first connection comes: some show their websocket server only then. */
const warnOnce = (limits: Limits): ((bindings: NodeBindings | undefined) => void) => {
  let isDone = false
  return (bindings) => {
    if (isDone) return
    isDone = true
    const warning = runtimeWarning(limits, bindings)
    // biome-ignore lint/suspicious/noConsole: Hono has no logger.
    if (warning !== undefined) console.warn(warning)
  }
}

/**
 * Mounts an event-log server into a Hono app: `app.route("/eventlog", eventLog({ server, upgradeWebSocket }))`. Clients of
 * effect's own connect at `/eventlog/rpc` then. Middleware before it runs before the upgrade and may refuse it. Throws an
 * `InvalidOptionsError` that names what is wrong with the options.
 */
export const eventLog = (options: EventLogOptions): Hono => {
  checkOptions("eventLog", options, expectedOptions)
  const { allowedOrigins = "same-origin", authenticate, getConnInfo, server, upgradeWebSocket } = options
  const connections = new WeakMap<Context, ConnectionInfo>()
  /** What is known of a connection, once it was authenticated. */
  const infoOf = (c: Context) => connections.get(c) as ConnectionInfo
  const warn = warnOnce(server.limits)
  const app = new Hono()

  const admit: MiddlewareHandler = async (c, next) => {
    const { host = new URL(c.req.url).host, origin } = c.req.header()
    if (!isOriginAllowed({ host, origin }, allowedOrigins)) return c.body(null, 403)
    const peer = { remoteAddress: getConnInfo?.(c).remote.address, headers: c.req.header() }
    try {
      connections.set(c, { ...peer, principal: await authenticate?.(c) })
    } catch {
      return c.body(null, 401)
    }
    const refusal = await server.admit(infoOf(c))
    if (refusal !== undefined) return c.body(null, refusal)
    // Told last, so that a client whose websocket is refused can ask without one for what.
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
      return c.text(upgradeRequired, 426, { connection: "upgrade", upgrade: "websocket" })
    }
    warn(c.env)
    return next()
  }

  for (const { path, protocol } of server.endpoints) {
    const route = path === "" ? "/" : path
    app.use(route, admit)
    app.get(
      route,
      upgradeWebSocket((c) => connectionEvents(server, infoOf(c), protocol))
    )
  }
  return app
}
