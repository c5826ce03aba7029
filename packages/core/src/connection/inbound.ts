import type { Limits } from "../wire/limits.ts"

/** Requests that the bucket holds when full, in seconds of `maxRequestsPerSecond`. */
const burstSeconds = 2

/**
 * What came in on one connection and was not answered yet: frames that wait, and bytes of writes in flight. Bounded, so
 * that a peer can't make the server hold more than it announced.
 */
export class Inbound {
  private frames: Array<Uint8Array> = []
  private bytes = 0
  private tokens: number
  private refilledAt: number
  private readonly limits: Limits

  constructor(limits: Limits, now: number) {
    this.limits = limits
    this.tokens = limits.maxRequestsPerSecond * burstSeconds
    this.refilledAt = now
  }

  /** Queues a frame, or answers `false` when the peer sent more than it may have unanswered: `maxBytes` in all. */
  offer(frame: Uint8Array, maxBytes: number): boolean {
    if (this.frames.length >= this.limits.maxInboundFrames) return false
    if (this.bytes + frame.byteLength > maxBytes) return false
    this.frames.push(frame)
    this.bytes += frame.byteLength
    return true
  }

  take(): Uint8Array | undefined {
    return this.frames.shift()
  }

  /** A message waits for its answer, besides the frames. */
  hold(bytes: number): void {
    this.bytes += bytes
  }

  /** The bytes of a frame were answered for. */
  release(bytes: number): void {
    this.bytes -= bytes
  }

  /** Takes a token of the rate limit, or answers `false`: a token bucket, refilled as time goes by. */
  admit(now: number): boolean {
    const rate = this.limits.maxRequestsPerSecond
    const refill = (Math.max(0, now - this.refilledAt) * rate) / 1000
    this.tokens = Math.min(rate * burstSeconds, this.tokens + refill)
    this.refilledAt = now
    if (this.tokens < 1) return false
    this.tokens--
    return true
  }

  clear(): void {
    this.frames = []
  }
}
