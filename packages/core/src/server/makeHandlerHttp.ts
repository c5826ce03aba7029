import { Effect, Exit, Option, type Scope } from "effect"
import { type HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Socket } from "effect/socket"
import type { ConnectionInfo } from "../connection/connections.ts"
import type { ProtocolName } from "../connection/protocol.ts"
import { upgradeRequired } from "../wire/messages.ts"
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

const asksForWebSocket = ({ headers }: HttpServerRequest.HttpServerRequest): boolean =>
  headers.upgrade?.toLowerCase() === "websocket"

const notUpgraded = HttpServerResponse.text(upgradeRequired, {
  status: 426,
  headers: { connection: "upgrade", upgrade: "websocket" }
})

/** Who connects, or the response to a page that may not, and to whom nobody knows. */
const identify = (
  request: HttpServerRequest.HttpServerRequest,
  { allowedOrigins, authenticate }: HttpHandlerOptions
): Effect.Effect<ConnectionInfo | HttpServerResponse.HttpServerResponse> => {
  const { headers } = request
  if (!isOriginAllowed({ origin: headers.origin, host: headers.host }, allowedOrigins)) {
    return Effect.succeed(HttpServerResponse.text("This origin may not connect", { status: 403 }))
  }
  return Effect.map(Effect.exit(authenticate?.(request) ?? Effect.succeed(undefined)), (principal) =>
    Exit.isFailure(principal)
      ? HttpServerResponse.text("Not authenticated", { status: 401 })
      : { remoteAddress: Option.getOrUndefined(request.remoteAddress), headers, principal: principal.value }
  )
}

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
      const info = yield* identify(request, options)
      if (HttpServerResponse.isHttpServerResponse(info)) return info
      const refusal = yield* admit(info)
      if (refusal !== undefined) return HttpServerResponse.empty({ status: refusal })
      // Told last, so that a client whose websocket is refused can ask without one for what.
      if (!asksForWebSocket(request)) return notUpgraded
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
