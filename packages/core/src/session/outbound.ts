import { Effect } from "effect"
import type { Transport } from "../ports/Transport.ts"
import { splitMessage } from "../protocol/chunks.ts"
import { encodeResponseUnencrypted } from "../protocol/codec.ts"
import type { Limits } from "../protocol/limits.ts"
import type { ProtocolResponseUnencrypted } from "../protocol/messages.ts"

/** How long a full connection is left alone before it is looked at again: 2 ms, doubling up to 64 ms. */
const firstPollMillis = 2
const lastPollMillis = 64

/** Bytes that end with a Ping: its Pong shows that the peer has read as far as `end`, in bytes since the start. */
interface Window {
  readonly id: number
  readonly end: number
}

/** What the way out tells its connection. */
export interface OutboundEvents {
  /** The peer doesn't read: more than `maxOutboundBytes` are queued for it. */
  readonly onOverflow: () => void
  /** The transport threw, which none may. Nothing is sent any more. */
  readonly onBroken: () => void
}

/**
 * The way out of one connection, and how much is on it. Where the transport can tell how many bytes it holds, that
 * decides whether there is room; elsewhere each window of bytes ends with a Ping, and there is room again once the
 * peer's Pong shows that it has read that far.
 */
export class Outbound {
  private readonly transport: Transport
  private readonly limits: Limits
  private readonly events: OutboundEvents
  private ended = false
  private nextChunkedId = 0
  private sentBytes = 0
  /** Of the bytes sent, those that a Pong showed to be read. */
  private readBytes = 0
  private window: Window | undefined
  private nextPingId = 0
  private waiting: Array<() => void> = []

  constructor(transport: Transport, limits: Limits, events: OutboundEvents) {
    this.transport = transport
    this.limits = limits
    this.events = events
  }

  send(message: ProtocolResponseUnencrypted): void {
    if (!this.ended) this.sendEncoded(encodeResponseUnencrypted(message))
  }

  /** Sends a message that is encoded already; a big one goes out in chunks. */
  sendEncoded(message: Uint8Array): void {
    if (this.ended) return
    try {
      for (const frame of splitMessage(message, this.nextChunkedId)) {
        this.transport.send(frame)
        this.sentBytes += frame.byteLength
      }
    } catch {
      // Whoever sends may be serving other connections too, and must not fail because of this one.
      this.end()
      return this.events.onBroken()
    }
    this.nextChunkedId = (this.nextChunkedId + 1) % 0x1_0000_0000
    this.endWindow()
    if (this.queuedBytes() > this.limits.maxOutboundBytes) this.events.onOverflow()
  }

  /** Asks the peer for a sign of life. */
  ping(): void {
    this.send({ _tag: "Ping", id: this.nextPingId++ })
  }

  /** The peer answered a Ping. */
  pong(id: number): void {
    if (id !== this.window?.id) return
    this.readBytes = this.window.end
    this.window = undefined
    // What was sent since the Ping may fill a window already.
    this.endWindow()
    if (this.window !== undefined) return
    for (const resume of this.waiting.splice(0)) resume()
  }

  /** Sends nothing any more. */
  end(): void {
    this.ended = true
    this.waiting = []
  }

  readonly ready = (): boolean =>
    this.transport.bufferedBytes === undefined
      ? this.window === undefined
      : this.transport.bufferedBytes() < this.limits.outboundHighWaterBytes

  /** Waits until there is room. */
  readonly drained: Effect.Effect<void> = Effect.suspend(() =>
    this.transport.bufferedBytes === undefined ? this.windowAcknowledged : this.poll(firstPollMillis)
  )

  /** Bytes that the peer has not read yet, as far as this side knows. */
  queuedBytes(): number {
    return this.transport.bufferedBytes?.() ?? this.sentBytes - this.readBytes
  }

  /** Whether a close would come after everything sent; a transport that can't tell how much it holds keeps the order. */
  get isFlushed(): boolean {
    return (this.transport.bufferedBytes?.() ?? 0) === 0
  }

  private endWindow(): void {
    if (this.transport.bufferedBytes !== undefined || this.window !== undefined) return
    if (this.sentBytes - this.readBytes < this.limits.outboundHighWaterBytes) return
    this.window = { id: unguessable(), end: this.sentBytes }
    this.send({ _tag: "Ping", id: this.window.id })
  }

  private readonly windowAcknowledged: Effect.Effect<void> = Effect.callback<void>((resume) => {
    if (this.window === undefined) return resume(Effect.void)
    this.waiting.push(() => resume(Effect.void))
  })

  private poll(millis: number): Effect.Effect<void> {
    if (this.queuedBytes() <= this.limits.outboundHighWaterBytes / 2) return Effect.void
    return Effect.andThen(
      Effect.sleep(millis),
      Effect.suspend(() => this.poll(Math.min(millis * 2, lastPollMillis)))
    )
  }
}

/** An id that only who has read it can answer: a peer that guessed it would be sent more than it reads. */
const unguessable = (): number => {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2))
  return (high % 0x20_0000) * 0x1_0000_0000 + low
}
