import type { Limits } from "../wire/limits.ts"
import { subprotocol } from "../wire/messages.ts"

/** How a `WebSocketServer` of the package `ws` serves event logs. It must be 8.23 or later. */
export interface WebSocketOptions {
  /** Bytes of a frame; a bigger one closes with 1009. It is `maxFrameBytes`, of which clients are told. */
  readonly maxPayload: number
  /** Fragments that a frame may come in; more close with 1008. Each costs about a hundred bytes until the last is there. */
  readonly maxFragments: number
  /** Pieces that a frame may be read in, likewise. */
  readonly maxBufferedChunks: number
  /** Pongs that may wait for a peer that pings and doesn't read; for one more it is terminated. */
  readonly maxPendingAutoPongs: number
  /** Compression costs memory for every connection, and entries are small. */
  readonly perMessageDeflate: false
  /** How long a peer has to answer a close, in milliseconds; one that is gone must not hold the app up. */
  readonly closeTimeout: number
  /**
   * Selects `eventlog.v1` where it is offered. A client that offers other versions only learns that none is spoken here.
   * Names of other protocols are none of ours: the first is selected, as `ws` does, for other websockets of the app.
   */
  readonly handleProtocols: (offered: ReadonlySet<string>) => string | false
}

const versionOfOurs = /^eventlog\.v\d+$/

/** Fits networks that cut a frame into pieces of 256 bytes or more, with room for a small frame in smaller ones. */
const maxPieces = ({ maxFrameBytes }: Limits): number => 1_024 + Math.ceil(maxFrameBytes / 256)

/** The options for a `WebSocketServer` of `ws` that serves a server with these limits. */
export const webSocketOptions = (limits: Limits): WebSocketOptions => ({
  maxPayload: limits.maxFrameBytes,
  maxFragments: maxPieces(limits),
  maxBufferedChunks: maxPieces(limits),
  maxPendingAutoPongs: 60,
  perMessageDeflate: false,
  closeTimeout: 5_000,
  handleProtocols: (offered) =>
    offered.has(subprotocol) ? subprotocol : ([...offered].find((name) => !versionOfOurs.test(name)) ?? false)
})

/** The options of a `WebSocketServer`, as it shows them: with its defaults. */
export interface ShownWebSocketOptions {
  readonly maxPayload?: number | undefined
  readonly perMessageDeflate?: unknown
  readonly autoPong?: boolean | undefined
  readonly maxPendingAutoPongs?: number | undefined
}

/**
 * What to warn of when the app brings a `WebSocketServer` of its own: `undefined` if that serves event logs well, or shows
 * no options. Adapters log it once.
 */
export const webSocketWarning = (limits: Limits, options: ShownWebSocketOptions | undefined): string | undefined => {
  if (options?.maxPayload === undefined) return undefined
  const { autoPong = true, maxPayload, maxPendingAutoPongs = 0, perMessageDeflate } = options
  const faults: Array<string> = []
  if (maxPayload !== limits.maxFrameBytes) {
    faults.push(`It takes frames of ${maxPayload || "any number of"} bytes, not of ${limits.maxFrameBytes}.`)
  }
  if (perMessageDeflate) faults.push("It compresses, which costs memory for every connection.")
  if (autoPong && maxPendingAutoPongs <= 0) {
    faults.push("It collects pongs without end for a peer that pings and doesn't read: ws 8.23 has a bound for it.")
  }
  return faults.length === 0 ? undefined : `${notSetUp} ${faults.join(" ")}`
}

const notSetUp = "The app's websocket server lacks the webSocketOptions of @eventlog-server/core."
