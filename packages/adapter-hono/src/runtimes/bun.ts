import type { Limits, Transport } from "@eventlog-server/core/adapter"
import type { WSContext } from "hono/ws"
import type { RawSocket } from "./RawSocket.ts"

/** The limits of servers whose sockets Bun was told of. */
const toldOf = new WeakSet<Limits>()

/** Bun was told how big frames may be, and how many bytes may be queued. */
export const tellBun = (limits: Limits): void => void toldOf.add(limits)

/** What to know of a server on Bun; `undefined` where Bun was told of its limits. */
export const bunWarning = (limits: Limits): string | undefined =>
  toldOf.has(limits)
    ? undefined
    : `Bun takes frames of 16 MiB, not of ${limits.maxFrameBytes} bytes, and drops what is queued beyond 16 MiB: serve with webSocketHandler(server, websocket) of @eventlog-server/adapter-hono/bun.`

/** Bytes queued, as Bun tells; `undefined` for the socket of another runtime. */
export const bunBufferedBytes = (raw: RawSocket): Transport["bufferedBytes"] =>
  raw.getBufferedAmount === undefined ? undefined : () => raw.getBufferedAmount?.() ?? 0

/**
 * Sends on a socket of Bun's; `undefined` for that of another runtime. Bun drops frames when more than its
 * `backpressureLimit` is queued, and says so only in what `send` returns, which Hono doesn't pass on. A connection with a
 * frame less is of no use.
 */
export const bunSending = (ws: WSContext, raw: RawSocket): Transport["send"] | undefined => {
  if (raw.getBufferedAmount === undefined || raw.send === undefined) return undefined
  return (frame) => {
    // An empty frame has sent 0 bytes, too.
    if (raw.send?.(frame) !== 0 || frame.byteLength === 0) return
    if (raw.terminate === undefined) ws.close(1008, "The connection is not being read")
    else raw.terminate()
  }
}
