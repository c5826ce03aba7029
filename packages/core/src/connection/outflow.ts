import { Effect } from "effect"
import type { Limits } from "../wire/limits.ts"
import type { Transport } from "./Transport.ts"

/** How long a full connection is left alone before it is looked at again: 2 ms, doubling up to 64 ms. */
const firstPollMillis = 2
const lastPollMillis = 64

/** What the way out tells its connection. */
export interface OutflowEvents {
  /** The peer doesn't read: more than `maxOutboundBytes` are queued for it. */
  readonly onOverflow: () => void
  /** The transport threw, which none may. Nothing is sent any more. */
  readonly onBroken: () => void
}

/**
 * The frames on their way to one peer, and whether there is room for more. Where the transport can tell how many bytes it
 * holds, that decides; elsewhere the protocol says, by `readUpTo`, how far the peer has shown to have read.
 */
export class Outflow {
  private readonly transport: Transport
  private readonly limits: Limits
  private readonly events: OutflowEvents
  private ended = false
  private sent = 0
  /** Of the bytes sent, those that the peer showed to have read. */
  private read = 0
  private waiting: Array<() => void> = []

  constructor(transport: Transport, limits: Limits, events: OutflowEvents) {
    this.transport = transport
    this.limits = limits
    this.events = events
  }

  get isEnded(): boolean {
    return this.ended
  }

  /** Bytes sent since the connection began. */
  get sentBytes(): number {
    return this.sent
  }

  /** Whether the transport can't tell how many bytes it holds. */
  get isBlind(): boolean {
    return this.transport.bufferedBytes === undefined
  }

  /** Whether a close would come after everything sent; a transport that can't tell how much it holds keeps the order. */
  get isFlushed(): boolean {
    return (this.transport.bufferedBytes?.() ?? 0) === 0
  }

  /** Sends one message, in its frames. */
  send(frames: ReadonlyArray<Uint8Array>): void {
    if (this.ended) return
    try {
      for (const frame of frames) {
        this.transport.send(frame)
        this.sent += frame.byteLength
      }
    } catch {
      // Whoever sends may be serving other connections too, and must not fail because of this one.
      this.end()
      return this.events.onBroken()
    }
  }

  /** Tells the connection when more is queued than the peer may leave unread. */
  checkOverflow(): void {
    if (this.queuedBytes() > this.limits.maxOutboundBytes) this.events.onOverflow()
  }

  /** The peer showed that it has read the first `bytes` bytes of the connection. */
  readUpTo(bytes: number): void {
    this.read = Math.max(this.read, bytes)
    if (this.ready()) for (const resume of this.waiting.splice(0)) resume()
  }

  /** Sends nothing any more. */
  end(): void {
    this.ended = true
    this.waiting = []
  }

  /** Bytes that the peer has not read yet, as far as this side knows. */
  queuedBytes(): number {
    return this.transport.bufferedBytes?.() ?? this.sent - this.read
  }

  readonly ready = (): boolean => this.queuedBytes() < this.limits.outboundHighWaterBytes

  /** Waits until there is room. */
  get drained(): Effect.Effect<void> {
    return Effect.suspend(() => (this.isBlind ? this.shown() : this.poll(firstPollMillis)))
  }

  private shown(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.ready()) return resume(Effect.void)
      this.waiting.push(() => resume(Effect.void))
    })
  }

  private poll(millis: number): Effect.Effect<void> {
    if (this.queuedBytes() <= this.limits.outboundHighWaterBytes / 2) return Effect.void
    return Effect.andThen(
      Effect.sleep(millis),
      Effect.suspend(() => this.poll(Math.min(millis * 2, lastPollMillis)))
    )
  }
}
