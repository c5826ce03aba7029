/** What the sockets of the runtimes have beyond the standard, or before it. */
export interface RawSocket {
  binaryType?: string
  readonly bufferedAmount?: number
  /** Bun's alone. */
  readonly getBufferedAmount?: () => number
  /** Bun's returns 0 where it dropped the frame. */
  readonly send?: (frame: Uint8Array) => unknown
  readonly terminate?: () => void
  readonly pause?: () => void
  readonly resume?: () => void
}
