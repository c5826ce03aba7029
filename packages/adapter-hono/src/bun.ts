import type { Mountable } from "@eventlog-server/core/adapter"
import { tellBun } from "./runtimes/bun.ts"

/** The bounds that `Bun.serve` takes with its `websocket`. */
export interface BunWebSocketBounds {
  /** Bytes of a frame; a bigger one ends the connection. It is `maxFrameBytes`. */
  readonly maxPayloadLength: number
  /** Bytes that may be queued for a peer before Bun drops frames. The server gives up a peer at half of it. */
  readonly backpressureLimit: number
  /** Compression costs memory for every connection, and entries are small. */
  readonly perMessageDeflate: false
}

/**
 * The websocket handler of a Hono app on Bun, set up for an event-log server: its limits of frames and of what is queued, and
 * no compression.
 *
 * ```ts
 * import { websocket } from "hono/bun"
 *
 * export default { fetch: app.fetch, websocket: webSocketHandler(server, websocket) }
 * ```
 *
 * One is enough for an app. Other websockets of the app get the same bounds.
 *
 * @param handler Hono's own
 */
export const webSocketHandler = <Handler extends object>(
  { limits }: Pick<Mountable, "limits">,
  handler: Handler
): Handler & BunWebSocketBounds => {
  tellBun(limits)
  return {
    ...handler,
    maxPayloadLength: limits.maxFrameBytes,
    backpressureLimit: 2 * limits.maxOutboundBytes,
    perMessageDeflate: false
  }
}
