import { onTestFinished } from "vitest"
import type { FinishRequestCallback, WebSocket } from "ws"
import { Inbox } from "./inbox.ts"

/** How a connection ended, seen from the client. */
export interface Close {
  readonly code: number
  readonly reason: string
}

/** A websocket client of a test. */
export interface Client {
  readonly socket: WebSocket
  readonly frames: Inbox<Uint8Array>
  readonly closed: Promise<Close>
}

/** What a client may say while it connects. */
export interface ConnectOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly protocols?: ReadonlyArray<string>
  /** Bytes to send right behind the upgrade request, without waiting for its answer, and what to call then. */
  readonly early?: { readonly bytes: Uint8Array; readonly sent: () => void }
  /** Ends the connection, or the attempt. */
  readonly signal?: AbortSignal
}

/** A masked binary frame of fewer than 126 bytes, with a mask of zeros. */
export const rawFrame = (payload: ReadonlyArray<number>): ReadonlyArray<number> => [
  0x82,
  0x80 | payload.length,
  ...[0, 0, 0, 0],
  ...payload
]

const sendBehind =
  ({ bytes, sent }: Required<ConnectOptions>["early"]): FinishRequestCallback =>
  (request) => {
    request.end()
    request.once("socket", (socket) => socket.once("connect", () => setImmediate(() => socket.write(bytes, sent))))
  }

const openSocket = async (url: string, options: ConnectOptions): Promise<WebSocket> => {
  // Whoever imports the suites for a storage needs no `ws`.
  const { WebSocket } = await import("ws")
  const socket = new WebSocket(url, [...(options.protocols ?? [])], {
    headers: { ...options.headers },
    perMessageDeflate: false,
    ...(options.early === undefined ? {} : { finishRequest: sendBehind(options.early) })
  })
  onTestFinished(() => socket.terminate())
  options.signal?.addEventListener("abort", () => socket.terminate())
  // The tests look at how a connection closed; an error without a listener would end the process.
  socket.on("error", () => {})
  return socket
}

/** Connects; rejects when the upgrade is refused. */
export const connect = async (url: string, options: ConnectOptions = {}): Promise<Client> => {
  const socket = await openSocket(url, options)
  return new Promise((resolve, reject) => {
    const frames = new Inbox<Uint8Array>()
    const closed = new Promise<Close>((resolve) =>
      socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }))
    )
    socket.on("message", (data: Uint8Array) => frames.put(Uint8Array.from(data)))
    socket.on("open", () => resolve({ socket, frames, closed }))
    socket.on("error", reject)
  })
}

/** Tries to connect and answers the HTTP status that refuses it; rejects when it doesn't. */
export const refusal = async (url: string, options: ConnectOptions = {}): Promise<number | undefined> => {
  const socket = await openSocket(url, options)
  return new Promise((resolve, reject) => {
    socket.on("unexpected-response", (_, response) => {
      resolve(response.statusCode)
      socket.terminate()
    })
    socket.on("open", () => reject(new Error("The upgrade was not refused")))
  })
}
