import { Effect } from "effect"
import { frameCost, type Limits } from "../wire/limits.ts"
import type { Budget, Holder } from "./Budget.ts"

/** A change of less is not told to the budget of the process: what most connections hold comes and goes at once. */
const untoldBytes = 4 * 1024

/** How soon it is looked again whether the budget of the process has room. */
const budgetPollMillis = 20

/** Frames that the rate lets in at once, in seconds of it. */
const burstSeconds = 2

/** Something that came in and is not let go of yet. */
export class Holding {
  readonly #account: Account
  #bytes: number
  #isWorked = false

  constructor(account: Account, bytes: number) {
    this.#account = account
    this.#bytes = bytes
  }

  /** It takes more than was known when it came: its entries, the parts that were put together. */
  grow(bytes: number): void {
    this.#bytes += bytes
    this.#account.change(bytes, this.#isWorked ? bytes : 0)
  }

  /** It is being written: the end of its connection doesn't let go of it. */
  work(): void {
    if (this.#isWorked) return
    this.#isWorked = true
    this.#account.change(0, this.#bytes)
  }

  /** It is answered, or forgotten. Once more does nothing. */
  release(): void {
    const bytes = this.#bytes
    this.#bytes = 0
    if (bytes !== 0) this.#account.settle(bytes, this.#isWorked ? bytes : 0)
  }
}

/** What an account does to its connection. */
export interface AccountEvents {
  /** Reading is to stop, or may go on; told only where that changes. */
  readonly onPressure: (isPressed: boolean) => void
  /** What is queued for the peer, with what the frames cost. */
  readonly queuedBytes: () => number
  /** The process holds too much, and this connection most of it. */
  readonly evict: () => void
}

/**
 * What one connection makes this process hold, both ways, from the moment it was read until it was let go of; and how many
 * frames may be handled for it now. It outlives its connection: what is being written stays on it until it is.
 */
export class Account implements Holder {
  readonly #limits: Limits
  readonly #budget: Budget
  readonly #events: AccountEvents
  #received = 0
  /** Of it, what is being written. */
  #worked = 0
  /** Of it, the parts of messages whose other parts are still to come. */
  #parts = 0
  #unanswered = 0
  #queued = 0
  /** What waits to be sent until the peer has read what was. */
  #waiting = 0
  /** Of all that, what the budget was told of. */
  #told = 0
  #isTrusted = false
  #isPressed = false
  #isPressedByBudget = false
  #isClosed = false
  #tokens: number
  #refilledAt: number
  #whenRoom: Array<() => void> = []

  constructor(limits: Limits, budget: Budget, now: number, events: AccountEvents) {
    this.#limits = limits
    this.#budget = budget
    this.#events = events
    this.#tokens = limits.maxUnprovedFrames * burstSeconds
    this.#refilledAt = now
  }

  /** Whether the peer proved a key, or need not: until then it may have little. */
  get isTrusted(): boolean {
    return this.#isTrusted
  }

  set isTrusted(isTrusted: boolean) {
    if (isTrusted && !this.#isTrusted) this.#tokens = this.#limits.maxRequestsPerSecond * burstSeconds
    this.#isTrusted = isTrusted
    this.#press()
  }

  /** Frames and calls that came in and are not answered. */
  get unanswered(): number {
    return this.#unanswered
  }

  get heldBytes(): number {
    return this.#received + this.#queued + this.#waiting
  }

  get freeableBytes(): number {
    return this.#isClosed ? 0 : this.heldBytes - this.#worked
  }

  /** Whether the peer sent more than it may have unanswered. Where reading can be paused, frames alone are no reason. */
  isOverdrawn(canPause: boolean): boolean {
    return this.#received > this.#maxReceived || (!canPause && this.#unanswered > this.#maxUnanswered)
  }

  /**
   * Waits until no more than half of the share is being written, and the budget of the process has room: what a batch holds
   * once it is decoded isn't known before, so the next one isn't decoded before that.
   */
  get room(): Effect.Effect<void> {
    return this.#isRoomy ? Effect.void : this.#untilRoom
  }

  /** Something of so many bytes came in. */
  hold(bytes: number): Holding {
    this.#unanswered++
    const holding = new Holding(this, 0)
    holding.grow(bytes + frameCost)
    return holding
  }

  /** A holding changed, and how much of it is being written. */
  change(bytes: number, worked: number): void {
    this.#received += bytes
    this.#worked += worked
    if (worked < 0 && this.#hasRoom) for (const resume of this.#whenRoom.splice(0)) resume()
    this.#press()
    this.#tell()
  }

  /** Parts of an unfinished message came in, or were put together. They stop no reading: the others have to come. */
  changeParts(bytes: number): void {
    // One that comes after the end has nobody to let go of it.
    if (this.#isClosed && this.#parts === 0) return
    this.#parts += bytes
    this.change(bytes, 0)
  }

  /** Something waits to be sent, or waits no more. */
  changeWaiting(bytes: number): void {
    if (this.#isClosed && this.#waiting === 0) return
    this.#waiting += bytes
    this.#tell()
  }

  /** A holding is let go of. */
  settle(bytes: number, worked: number): void {
    this.#unanswered--
    this.change(-bytes, -worked)
  }

  /** Whether more is queued for the peer than it may leave unread, as `recount` saw it last. */
  get isOverQueued(): boolean {
    return this.#queued > (this.#isTrusted ? this.#limits.maxOutboundBytes : this.#limits.maxUnprovedBytes)
  }

  recount(): void {
    this.#queued = this.#events.queuedBytes()
    this.#tell()
  }

  pause(): void {
    this.#isPressedByBudget = true
    this.#press()
  }

  resume(): void {
    this.#isPressedByBudget = false
    this.#press()
  }

  evict(): void {
    this.#events.evict()
  }

  /** The connection is gone, and with it what is queued for it, and the parts that will never be a message. */
  close(): void {
    this.#isClosed = true
    this.changeParts(-this.#parts)
    this.changeWaiting(-this.#waiting)
    this.recount()
    this.#budget.leave(this)
  }

  /**
   * Takes a token of the rate, a bucket that refills as time goes by, and returns 0; or returns the milliseconds until one
   * is there.
   */
  admit(now: number): number {
    const rate = this.#isTrusted ? this.#limits.maxRequestsPerSecond : this.#limits.maxUnprovedFrames
    const refill = (Math.max(0, now - this.#refilledAt) * rate) / 1000
    this.#tokens = Math.min(rate * burstSeconds, this.#tokens + refill)
    this.#refilledAt = now
    if (this.#tokens < 1) return Math.ceil(((1 - this.#tokens) * 1000) / rate)
    this.#tokens--
    return 0
  }

  /** Takes tokens for what came in the same frame: those to come wait for them. */
  charge(tokens: number): void {
    this.#tokens -= tokens
  }

  get #hasRoom(): boolean {
    return this.#worked <= this.#maxReceived / 2
  }

  get #isRoomy(): boolean {
    return this.#hasRoom && (!this.#budget.isTight || this.#budget.hasRoomFor(this))
  }

  readonly #untilRoom: Effect.Effect<void> = Effect.suspend(() => {
    if (this.#isRoomy) return Effect.void
    return this.#hasRoom
      ? Effect.andThen(Effect.sleep(budgetPollMillis), this.#untilRoom)
      : Effect.callback<void>((resume) => void this.#whenRoom.push(() => resume(this.#untilRoom)))
  })

  #tell(): void {
    const held = this.heldBytes
    const change = held - this.#told
    if (Math.abs(change) < untoldBytes && (held > 0 || change === 0)) return
    this.#told = held
    this.#budget.change(this, change)
  }

  get #maxReceived(): number {
    return this.#isTrusted ? this.#limits.maxInboundBytes : this.#limits.maxUnprovedBytes
  }

  get #maxUnanswered(): number {
    return this.#isTrusted ? this.#limits.maxInboundFrames : this.#limits.maxUnprovedFrames
  }

  /** Reading stops at half of what may be unanswered, and goes on at a quarter. */
  #press(): void {
    const share = Math.max((this.#received - this.#parts) / this.#maxReceived, this.#unanswered / this.#maxUnanswered)
    const isPressed = this.#isPressedByBudget || share >= (this.#isPressed ? 1 / 4 : 1 / 2)
    if (isPressed === this.#isPressed) return
    this.#isPressed = isPressed
    this.#events.onPressure(isPressed)
  }
}
