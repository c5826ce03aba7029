/**
 * One connection, seen from the server: what an adapter hands over. No member may throw.
 */
export interface Transport {
  /** Queues a binary frame. After the connection closed it does nothing. The bytes may not be changed afterwards. */
  readonly send: (frame: Uint8Array) => void
  /**
   * Bytes queued and not yet handed to the network. Absent where a runtime can't tell: then the session paces itself
   * by asking for a Pong after each window of bytes.
   */
  readonly bufferedBytes?: (() => number) | undefined
  /** Closes with a websocket close code and a reason of at most 123 bytes. Closing twice does nothing. */
  readonly close: (code: number, reason: string) => void
  /**
   * Ends the connection at once: the socket, and what is queued on it, are gone. Absent where a runtime can't: there what is
   * queued lives until the runtime gives the peer up.
   */
  readonly terminate?: (() => void) | undefined
  /**
   * Stops and resumes reading, so that a peer that sends faster than it is served is slowed down. A few frames may still come
   * after `pause`: those that were read already. Absent, both, where a runtime can't.
   */
  readonly pause?: (() => void) | undefined
  readonly resume?: (() => void) | undefined
}

/** One connection, seen from the adapter: what it calls. No member throws, none blocks. */
export interface TransportListener {
  /** A frame arrived. A text frame (a string) is a protocol violation and closes the connection. */
  readonly receive: (frame: Uint8Array | string) => void
  /** The connection is gone, for whatever reason. */
  readonly closed: () => void
}
