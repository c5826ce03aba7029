import {
  type AllowedOrigins,
  aFunction,
  allowedOriginsExpectation,
  aText,
  type Expectations,
  type Mountable,
  mountableExpectation
} from "@eventlog-server/core/adapter"
import type { FastifyRequest, RegisterOptions } from "fastify"

/** Options of `eventLogPlugin`. */
export interface EventLogPluginOptions {
  /** The server that takes the connections. `app.close()` closes it. */
  readonly server: Mountable
  /** Where clients connect; effect's own do at `<path>/rpc`. @default "/eventlog" */
  readonly path?: string | undefined
  /**
   * Tells who is connecting; what it answers becomes the connection's `principal`. Throwing (or rejecting) refuses the
   * upgrade with 401. @default nobody is asked, the principal is `undefined`
   */
  readonly authenticate?: ((request: FastifyRequest) => unknown) | undefined
  /** Which pages may connect; others are refused with 403. @default "same-origin" */
  readonly allowedOrigins?: AllowedOrigins | undefined
}

/** What the plugin takes, beside what Fastify itself takes of any plugin's options. */
export const expectedOptions: Expectations<EventLogPluginOptions & RegisterOptions> = {
  server: mountableExpectation,
  path: aText,
  authenticate: aFunction,
  allowedOrigins: allowedOriginsExpectation,
  prefix: aText,
  logLevel: aText,
  logSerializers: { expected: "an object", accepts: (value) => typeof value === "object" }
}

/**
 * Gives `app.eventLog` the type of your server:
 *
 * ```ts
 * declare module "@eventlog-server/adapter-fastify" {
 *   interface EventLogRegister { server: typeof server }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is there to be augmented
export interface EventLogRegister {}

declare module "fastify" {
  interface FastifyInstance {
    /** The server that `eventLogPlugin` mounted. */
    eventLog: EventLogRegister extends { readonly server: infer Server } ? Server : Mountable
  }
}
