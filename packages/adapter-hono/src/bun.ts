import type { Mountable } from "@eventlog-server/core/adapter"
import { websocket } from "hono/bun"
import { tellBun } from "./runtimes/bun.ts"

/** What `Bun.serve` takes as `websocket`: Hono's handler, with bounds. */
export type BunWebSocketHandler = typeof websocket & {
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
 * export default { fetch: app.fetch, websocket: webSocketHandler(server) }
 * ```
 *
 * One is enough for an app. Other websockets of the app get the same bounds.
 */
export const webSocketHandler = ({ limits }: Pick<Mountable, "limits">): BunWebSocketHandler => {
  tellBun(limits)
  return {
    ...websocket,
    maxPayloadLength: limits.maxFrameBytes,
    backpressureLimit: 2 * limits.maxOutboundBytes,
    perMessageDeflate: false
  }
}
