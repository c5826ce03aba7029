import { Effect } from "effect"
import { frameCost, type Limits } from "../wire/limits.ts"
import type { Transport } from "./Transport.ts"

/** How long a full connection is left alone before it is looked at again: 2 ms, doubling up to 64 ms. */
const firstPollMillis = 2
const lastPollMillis = 64

/** What the way out tells its connection. */
export interface OutflowEvents {
  /** Something was queued for the peer, or the peer showed that it has read something. */
  readonly onChange: () => void
  /** The transport threw, which none may. Nothing is sent any more. */
  readonly onBroken: () => void
  /**
   * A window of bytes is full, and the transport can't tell when it has left: the protocol may ask the peer for a sign that
   * it has read so far, and say so by `readUpTo(end)`.
   */
  readonly onWindow: (end: number) => void
}

/** Bytes of a websocket frame before its payload, as a server sends it. */
const headerBytes = (length: number): number => (length < 126 ? 2 : length < 0x1_0000 ? 4 : 10)

/**
 * The frames on their way to one peer, and whether there is room for more. Where the transport can tell how many bytes it
 * holds, that decides; elsewhere the protocol says, by `readUpTo`, how far the peer has shown to have read.
 */
export class Outflow {
  readonly #transport: Transport
  readonly #limits: Pick<Limits, "outboundHighWaterBytes">
  readonly #events: OutflowEvents
  #ended = false
  #sent = 0
  /** Of the bytes sent, those that the peer showed to have read. */
  #read = 0
  /** Where frames end; those before the first one were seen to have left. */
  #ends: Array<number> = []
  #first = 0
  #isWindowOpen = false
  #waiting: Array<() => void> = []

  constructor(transport: Transport, limits: Pick<Limits, "outboundHighWaterBytes">, events: OutflowEvents) {
    this.#transport = transport
    this.#limits = limits
    this.#events = events
  }

  get isEnded(): boolean {
    return this.#ended
  }

  /** Bytes sent since the connection began. */
  get sentBytes(): number {
    return this.#sent
  }

  /** Whether a close would come after everything sent; a transport that can't tell how much it holds keeps the order. */
  get isFlushed(): boolean {
    return (this.#transport.bufferedBytes?.() ?? 0) === 0
  }

  /** Sends one message, in its frames. */
  send(frames: ReadonlyArray<Uint8Array>): void {
    if (this.#ended) return
    try {
      for (const frame of frames) {
        this.#transport.send(frame)
        this.#sent += frame.byteLength + headerBytes(frame.byteLength)
        this.#ends.push(this.#sent)
      }
    } catch {
      // Whoever sends may be serving other connections too, and must not fail because of this one.
      this.end()
      return this.#events.onBroken()
    }
    this.#openWindow()
    this.#events.onChange()
  }

  /** The peer showed that it has read the first `bytes` bytes of the connection. */
  readUpTo(bytes: number): void {
    this.#read = Math.max(this.#read, bytes)
    this.#isWindowOpen = false
    // What was sent since may fill a window already.
    this.#openWindow()
    this.#events.onChange()
    if (this.ready()) for (const resume of this.#waiting.splice(0)) resume()
  }

  /** Sends nothing any more. */
  end(): void {
    this.#ended = true
    this.#waiting = []
    this.#ends = []
    this.#first = 0
  }

  /** Bytes that the peer has not read yet, as far as this side knows. */
  queuedBytes(): number {
    return this.#transport.bufferedBytes?.() ?? this.#sent - this.#read
  }

  /** The same with what the frames cost that they are in; nothing after the end. */
  heldBytes(): number {
    if (this.#ended) return 0
    const queued = this.queuedBytes()
    return queued + frameCost * this.#queuedFrames(queued)
  }

  readonly ready = (): boolean => this.queuedBytes() < this.#limits.outboundHighWaterBytes

  /** Waits until there is room. */
  get drained(): Effect.Effect<void> {
    return Effect.suspend(() => (this.#isBlind ? this.#shown() : this.#poll(firstPollMillis)))
  }

  /** Whether the transport can't tell how many bytes it holds. */
  get #isBlind(): boolean {
    return this.#transport.bufferedBytes === undefined
  }

  #queuedFrames(queuedBytes: number): number {
    const left = this.#sent - queuedBytes
    while (this.#first < this.#ends.length && this.#ends[this.#first]! <= left) this.#first++
    // Copied when half of it is of no use any more, so that a frame is moved once at most.
    if (this.#first * 2 >= this.#ends.length) {
      this.#ends = this.#ends.slice(this.#first)
      this.#first = 0
    }
    return this.#ends.length - this.#first
  }

  #openWindow(): void {
    if (!this.#isBlind || this.#isWindowOpen || this.ready()) return
    this.#isWindowOpen = true
    this.#events.onWindow(this.#sent)
  }

  #shown(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.ready()) return resume(Effect.void)
      this.#waiting.push(() => resume(Effect.void))
    })
  }

  #poll(millis: number): Effect.Effect<void> {
    if (this.queuedBytes() <= this.#limits.outboundHighWaterBytes / 2) return Effect.void
    return Effect.andThen(
      Effect.sleep(millis),
      Effect.suspend(() => this.#poll(Math.min(millis * 2, lastPollMillis)))
    )
  }
}
