import { Outflow, type OutflowEvents } from "../../connection/outflow.ts"
import type { Transport } from "../../connection/Transport.ts"
import { splitMessage } from "../../wire/chunks.ts"
import { encodeResponseUnencrypted } from "../../wire/codec.ts"
import type { Limits } from "../../wire/limits.ts"
import type { ProtocolResponseUnencrypted } from "../../wire/messages.ts"

/** Bytes that end with a Ping: its Pong shows that the peer has read as far as `end`, in bytes since the start. */
interface Window {
  readonly id: number
  readonly end: number
}

/**
 * The messages of our own protocol on their way out. Where the transport can't tell how many bytes it holds, each window
 * of bytes ends with a Ping, and there is room again once the peer's Pong shows that it has read that far.
 */
export class Outbound {
  private readonly outflow: Outflow
  private nextChunkedId = 0
  private window: Window | undefined
  private nextPingId = 0

  constructor(transport: Transport, limits: Limits, events: OutflowEvents) {
    this.outflow = new Outflow(transport, limits, events)
  }

  send(message: ProtocolResponseUnencrypted): void {
    if (!this.outflow.isEnded) this.sendEncoded(encodeResponseUnencrypted(message))
  }

  /** Sends a message that is encoded already; a big one goes out in chunks. */
  sendEncoded(message: Uint8Array): void {
    if (this.outflow.isEnded) return
    this.outflow.send(splitMessage(message, this.nextChunkedId))
    this.nextChunkedId = (this.nextChunkedId + 1) % 0x1_0000_0000
    if (this.outflow.isEnded) return
    this.endWindow()
    this.outflow.checkOverflow()
  }

  /** Asks the peer for a sign of life. */
  ping(): void {
    this.send({ _tag: "Ping", id: this.nextPingId++ })
  }

  /** The peer answered a Ping. */
  pong(id: number): void {
    if (id !== this.window?.id) return
    const { end } = this.window
    this.window = undefined
    this.outflow.readUpTo(end)
    // What was sent since the Ping may fill a window already.
    this.endWindow()
  }

  /** Sends nothing any more. */
  end(): void {
    this.outflow.end()
  }

  get ready(): () => boolean {
    return this.outflow.ready
  }

  /** Waits until there is room. */
  get drained(): Outflow["drained"] {
    return this.outflow.drained
  }

  /** See `Outflow.queuedBytes`. */
  queuedBytes(): number {
    return this.outflow.queuedBytes()
  }

  /** See `Outflow.isFlushed`. */
  get isFlushed(): boolean {
    return this.outflow.isFlushed
  }

  private endWindow(): void {
    if (!this.outflow.isBlind || this.window !== undefined || this.outflow.ready()) return
    this.window = { id: unguessable(), end: this.outflow.sentBytes }
    this.send({ _tag: "Ping", id: this.window.id })
  }
}

/** An id that only who has read it can answer: a peer that guessed it would be sent more than it reads. */
const unguessable = (): number => {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2))
  return (high % 0x20_0000) * 0x1_0000_0000 + low
}
