import {
  type AllowedOrigins,
  aFunction,
  allowedOriginsExpectation,
  type Expectations,
  type Mountable,
  mountableExpectation,
  required,
  withHint
} from "@eventlog-server/core/adapter"
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

/** What `eventLog` takes. */
export const expectedOptions: Expectations<EventLogOptions> = {
  server: mountableExpectation,
  upgradeWebSocket: withHint(
    required(aFunction),
    () =>
      'The runtime has it: that of Node is in "@hono/node-server", that of Bun in "hono/bun", that of Deno in "hono/deno".'
  ),
  getConnInfo: aFunction,
  authenticate: aFunction,
  allowedOrigins: allowedOriginsExpectation
}
