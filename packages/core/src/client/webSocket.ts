import { Effect } from "effect"
import { Socket } from "effect/socket"
import { subprotocol } from "../wire/index.ts"
import { explainByAsking, explainHere, type OpeningError } from "./explain.ts"
import { type ClientOptions, settingsOf } from "./options.ts"

/** A websocket class: the global one of browsers and Node 22, or the one of the `ws` package. */
export type WebSocketClass = new (url: string, protocols?: string | Array<string>) => Socket.WebSocketLike

/** Where to connect to, and with what. */
export interface WebSocketOptions {
  /** The server's `ws:` or `wss:` address. A function is asked before each attempt, so that it can add a fresh token. */
  readonly url: string | (() => string | Promise<string>)
  /** @default globalThis.WebSocket */
  readonly WebSocket?: WebSocketClass | undefined
}

/**
 * effect's `Socket` over a websocket, which is dialed anew for each connection and offers the subprotocol
 * `eventlog.v1`. Whatever keeps it from opening is a `SocketOpenError` whose cause is an {@link OpeningError}: the server is asked
 * for it once, and again only after it could be reached.
 */
export const makeWebSocket = (
  options: WebSocketOptions & Pick<ClientOptions, "connectTimeout">
): Effect.Effect<Socket.Socket> => {
  const { connectTimeout } = settingsOf(options)
  let dialed = ""
  let known: OpeningError | undefined
  const url = Effect.tryPromise({
    try: async () => (typeof options.url === "string" ? options.url : await options.url()),
    catch: openError
  })
  const dial = (url: string) =>
    Effect.try({
      try: () => {
        dialed = url
        return new (options.WebSocket ?? globalWebSocket())(url, [subprotocol])
      },
      catch: openError
    })
  const explain = (error: Socket.SocketError) =>
    Effect.gen(function* () {
      const { reason } = error
      if (reason._tag !== "SocketOpenError" || reason.kind === "Timeout") return yield* error
      const explained = explainHere(reason.cause) ?? known
      known = explained === undefined ? yield* explainByAsking(dialed, connectTimeout, reason.cause) : explained
      return yield* openError(known)
    })
  const made = Socket.fromWebSocket(
    Effect.flatMap(url, (url) => Effect.acquireRelease(dial(url), (ws) => Effect.sync(() => ws.close(1000)))),
    { openTimeout: connectTimeout }
  )
  return Effect.map(made, (socket) => ({
    ...socket,
    reader: socket.reader.pipe(
      Effect.tap(() => Effect.sync(() => (known = undefined))),
      Effect.catch(explain)
    )
  }))
}

const globalWebSocket = (): WebSocketClass => {
  if (globalThis.WebSocket !== undefined) return globalThis.WebSocket
  throw new Error("This runtime has no WebSocket: give the client a class, such as that of the package ws")
}

const openError = (cause: unknown): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause }) })
