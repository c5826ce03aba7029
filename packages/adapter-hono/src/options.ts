import type { AllowedOrigins, Mountable } from "@eventlog-server/core/adapter"
import type { Context } from "hono"
import type { GetConnInfo } from "hono/conninfo"
import type { UpgradeWebSocket } from "hono/ws"

/** Options of `eventLog`. */
export interface EventLogOptions {
  /** The server that takes the connections. Close it before you stop the app. */
  readonly server: Mountable
  /** The runtime's own, as from `@hono/node-server` or `hono/bun`. */
  readonly upgradeWebSocket: UpgradeWebSocket
  /** The runtime's own; gives connections their `remoteAddress`. @default it stays `undefined` */
  readonly getConnInfo?: GetConnInfo | undefined
  /**
   * Tells who is connecting; what it answers becomes the connection's `principal`. Throwing (or rejecting) refuses the
   * upgrade with 401. @default nobody is asked, the principal is `undefined`
   */
  readonly authenticate?: ((c: Context) => unknown) | undefined
  /** Which pages may connect; others are refused with 403. @default "same-origin" */
  readonly allowedOrigins?: AllowedOrigins | undefined
}
