import { Effect } from "effect"
import { Socket } from "effect/socket"
import { subprotocol } from "../wire/index.ts"
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
 * `eventlog.v1`. What the url function or the constructor throws is a `SocketOpenError`.
 */
export const makeWebSocket = (
  options: WebSocketOptions & Pick<ClientOptions, "connectTimeout">
): Effect.Effect<Socket.Socket> => {
  const url = Effect.tryPromise({
    try: async () => (typeof options.url === "string" ? options.url : await options.url()),
    catch: openError
  })
  const dial = (url: string) =>
    Effect.try({
      try: () => new (options.WebSocket ?? globalThis.WebSocket)(url, [subprotocol]),
      catch: openError
    })
  return Socket.fromWebSocket(
    Effect.flatMap(url, (url) => Effect.acquireRelease(dial(url), (ws) => Effect.sync(() => ws.close(1000)))),
    { openTimeout: settingsOf(options).connectTimeout }
  )
}

const openError = (cause: unknown): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause }) })
