import { Effect, Exit, Option, type Scope } from "effect"
import { type HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Socket } from "effect/socket"
import type { EventLogServerUnencrypted } from "./EventLogServerUnencrypted.ts"
import { makeHandler } from "./makeHandler.ts"
import { type AllowedOrigins, isOriginAllowed } from "./origin.ts"

/** Serves the protocol on the current request, by upgrading it. */
export type HttpHandler = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  HttpServerError.HttpServerError | Socket.SocketError,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

/** How upgrade requests are judged. */
export interface HttpHandlerOptions {
  /** Which pages may connect. @default "same-origin" */
  readonly allowedOrigins?: AllowedOrigins | undefined
  /** Names who connects, for `CurrentConnection.principal`. A failure is a 401. @default nobody is named */
  readonly authenticate?:
    | ((request: HttpServerRequest.HttpServerRequest) => Effect.Effect<unknown, unknown>)
    | undefined
}

/** `makeHandlerHttp` with options. */
export const makeHandlerHttpWith = (
  options: HttpHandlerOptions
): Effect.Effect<HttpHandler, never, EventLogServerUnencrypted> =>
  Effect.map(makeHandler, (handler) =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { host, origin } = request.headers
      if (!isOriginAllowed({ origin, host }, options.allowedOrigins)) {
        return HttpServerResponse.text("This origin may not connect", { status: 403 })
      }
      const principal = yield* Effect.exit(options.authenticate?.(request) ?? Effect.succeed(undefined))
      if (Exit.isFailure(principal)) return HttpServerResponse.text("Not authenticated", { status: 401 })
      const socket = yield* request.upgrade
      yield* handler(socket, {
        remoteAddress: Option.getOrUndefined(request.remoteAddress),
        headers: request.headers,
        principal: principal.value
      })
      return HttpServerResponse.empty()
    })
  )

/** Serves the protocol on effect's HTTP server, for pages of the same origin. */
export const makeHandlerHttp: Effect.Effect<HttpHandler, never, EventLogServerUnencrypted> = makeHandlerHttpWith({})
