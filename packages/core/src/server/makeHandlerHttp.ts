import { Effect, Exit, Option, type Scope } from "effect"
import { type HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Socket } from "effect/socket"
import type { ProtocolName } from "../connection/protocol.ts"
import { EventLogServerUnencrypted } from "./EventLogServerUnencrypted.ts"
import { makeHandler } from "./makeHandler.ts"
import { type AllowedOrigins, isOriginAllowed } from "./origin.ts"

/** Serves a protocol on the current request, by upgrading it. */
export type HttpHandler = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  HttpServerError.HttpServerError | Socket.SocketError,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

/** How upgrade requests are judged. */
export interface HttpHandlerOptions {
  /** Which protocol is served. @default that of effect's own client where the path ends with `/rpc`, else our own */
  readonly protocol?: ProtocolName | undefined
  /** Which pages may connect. @default "same-origin" */
  readonly allowedOrigins?: AllowedOrigins | undefined
  /** Names who connects, for `CurrentConnection.principal`. A failure is a 401. @default nobody is named */
  readonly authenticate?:
    | ((request: HttpServerRequest.HttpServerRequest) => Effect.Effect<unknown, unknown>)
    | undefined
}

const protocolOf = ({ url }: HttpServerRequest.HttpServerRequest): ProtocolName =>
  /^[^?#]*\/rpc(?:$|[?#])/.test(url) ? "rpc" : "eventlog"

/** `makeHandlerHttp` with options. */
export const makeHandlerHttpWith = (
  options: HttpHandlerOptions
): Effect.Effect<HttpHandler, never, EventLogServerUnencrypted> =>
  Effect.gen(function* () {
    const { admit, endpoints } = yield* EventLogServerUnencrypted
    const handler = yield* makeHandler
    return Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const protocol = options.protocol ?? protocolOf(request)
      if (!endpoints.some((endpoint) => endpoint.protocol === protocol)) {
        return HttpServerResponse.text("This server doesn't speak that", { status: 404 })
      }
      const { host, origin } = request.headers
      if (!isOriginAllowed({ origin, host }, options.allowedOrigins)) {
        return HttpServerResponse.text("This origin may not connect", { status: 403 })
      }
      const principal = yield* Effect.exit(options.authenticate?.(request) ?? Effect.succeed(undefined))
      if (Exit.isFailure(principal)) return HttpServerResponse.text("Not authenticated", { status: 401 })
      const info = {
        remoteAddress: Option.getOrUndefined(request.remoteAddress),
        headers: request.headers,
        principal: principal.value
      }
      const refusal = yield* admit(info)
      if (refusal !== undefined) return HttpServerResponse.empty({ status: refusal })
      const socket = yield* request.upgrade
      yield* handler(socket, info, protocol)
      return HttpServerResponse.empty()
    })
  })

/**
 * Serves the protocols on effect's HTTP server, for pages of the same origin. Route two paths to it, such as `/eventlog`
 * and, for effect's own client, `/eventlog/rpc`.
 */
export const makeHandlerHttp: Effect.Effect<HttpHandler, never, EventLogServerUnencrypted> = makeHandlerHttpWith({})
