import { Effect, Result } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { StorageError } from "../backend/StorageError.ts"
import type { Crowd } from "../feed/Crowd.ts"
import type { Feed } from "../feed/feed.ts"
import type { Submit } from "../ingest/write.ts"
import { type ChunkError, ChunkJoiner } from "../wire/chunks.ts"
import { frameCost } from "../wire/limits.ts"
import type { ChunkedMessage } from "../wire/messages.ts"
import { Account, type AccountEvents } from "./Account.ts"
import type { Access } from "./access.ts"
import { called, goOn, isDone, recover } from "./atOnce.ts"
import type { Budget } from "./Budget.ts"
import type { ConnectionDetails } from "./CurrentConnection.ts"
import { Grants } from "./Grants.ts"
import { Outflow } from "./Outflow.ts"
import type { Conversation, Frame, Peer, Protocol } from "./protocol.ts"
import { aboutConnection, type Run, type Runner } from "./runner.ts"
import { Subscriptions } from "./Subscriptions.ts"
import type { Transport, TransportListener } from "./Transport.ts"

/** What every connection of a server shares. */
export interface ConnectionServices {
  readonly access: Access["Service"]
  readonly budget: Budget
  readonly crowd: Crowd
  readonly feed: Feed["Service"]
  readonly submit: Submit
  readonly sessionAuth: "required" | "off"
  /** The server's id; an `Exit` where there is nothing to wait for. */
  readonly remoteId: () => Effect.Effect<EventJournal.RemoteId, StorageError>
  readonly now: () => number
  readonly runner: Runner
  /** Called when a connection proved its first key, or has none any more. */
  readonly onTrust: (connection: Connection, isTrusted: boolean) => void
  /** Called once, when nothing is handled or sent any more. */
  readonly onEnded: (connection: Connection) => void
  /** Called once, when the socket is gone. */
  readonly onGone: (connection: Connection) => void
}

/** How long a drained connection that does not flush is left alone before it is looked at again. */
const flushPollMillis = 5

/** What a connection is, once the server's id is known. */
interface Begun {
  readonly peer: Peer
  readonly conversation: Conversation
}

/**
 * One connection, whatever protocol it speaks: it gets to know the server, lets its protocol begin, and hands it one frame
 * after the other. What it makes the server hold is bounded, and it ends once.
 */
export class Connection implements TransportListener {
  readonly details: ConnectionDetails
  readonly account: Account
  readonly openedAt: number
  readonly #transport: Transport
  readonly #protocol: Protocol
  readonly #services: ConnectionServices
  readonly #run: Run
  readonly #outflow: Outflow
  readonly #subscriptions: Subscriptions
  #joiner: ChunkJoiner | undefined
  #begun: Begun | undefined
  #frames: Array<Frame> = []
  #isWorking = false
  #isEnded = false
  #isGone = false
  #isClosing = false
  #isPaused = false
  #heardAt: number
  /** Whether the peer was asked for a sign of life that did not come yet. */
  #isAsked = false
  #endedAt = 0

  constructor(transport: Transport, details: ConnectionDetails, protocol: Protocol, services: ConnectionServices) {
    const { limits } = protocol
    this.#transport = transport
    this.details = details
    this.#protocol = protocol
    this.#services = services
    this.#run = services.runner(details)
    this.openedAt = services.now()
    this.#heardAt = this.openedAt
    this.account = new Account(limits, services.budget, this.openedAt, this.#accountEvents())
    this.account.isTrusted = services.sessionAuth === "off"
    this.#outflow = new Outflow(transport, limits, {
      onChange: () => this.#checkQueue(),
      onBroken: () => this.close(1011, "The connection failed"),
      onWindow: (end) => this.#begun?.conversation.ask(end)
    })
    this.#subscriptions = new Subscriptions({
      begin: (subscription, head) => this.#begun!.conversation.begin(subscription, head),
      run: (effect) => this.#run(effect),
      onLost: (subscription, cause) => this.#begun!.conversation.refuse(subscription, cause)
    })
  }

  /** What the connection may do; nothing before the server is known. */
  get grants(): Grants | undefined {
    return this.#begun?.peer.grants
  }

  /** Whether nothing that came of the peer is being worked on. */
  get isIdle(): boolean {
    return !this.#isWorking && this.account.unanswered === 0
  }

  get subscriptionCount(): number {
    return this.#subscriptions.size
  }

  /** Since when nothing is handled or sent any more, in milliseconds since the epoch; `undefined` before that. */
  get endedAt(): number | undefined {
    return this.#isEnded ? this.#endedAt : undefined
  }

  /** Gets to know the server, then handles what came in meanwhile. */
  open(): void {
    this.#isWorking = true
    const begun = called(() => goOn(this.#services.remoteId(), (remoteId) => this.#begin(remoteId)))
    this.#workAfter(
      recover(begun, (cause) =>
        Effect.andThen(
          Effect.logError("A connection could not be greeted", cause),
          Effect.sync(() => this.close(1013, "The storage is unavailable"))
        )
      )
    )
  }

  receive(frame: Uint8Array | string): void {
    if (this.#isEnded) return
    this.#heardAt = this.#services.now()
    this.#isAsked = false
    if (typeof frame === "string") return this.close(1007, "The protocol has binary frames only")
    const kept = this.#fitting(frame)
    if (kept === undefined) return this.close(1009, "The frame is too big")
    this.#frames.push({ bytes: kept, holding: this.account.hold(kept.byteLength) })
    if (this.account.isOverdrawn(this.#transport.pause !== undefined)) return this.close(1008, "Too much is unanswered")
    if (!this.#isWorking) this.#workAtOnce()
  }

  closed(): void {
    this.#end()
    if (this.#isGone) return
    this.#isGone = true
    this.#services.onGone(this)
  }

  /** Closes the connection, with a websocket close code. What was accepted is still committed. */
  close(code: number, reason: string): void {
    if (this.#isEnded) return
    this.#end()
    try {
      // A pause would keep the peer's side of the close from being read.
      if (this.#isPaused) this.#transport.resume?.()
      this.#transport.close(code, reason)
    } catch {
      // None may throw. Whoever closes may be serving other connections too; for this one it is over anyway.
    }
  }

  /** Ends the socket too, where the runtime can: what is queued on it is let go of. */
  terminate(): void {
    this.#end()
    try {
      this.#transport.terminate?.()
    } catch {
      // As above.
    }
    // A runtime that can't end a socket has been asked to close it.
    this.closed()
  }

  /** Accepts nothing more, waits until every accepted write was answered and sent, then closes with 1012 and a reason. */
  drain(reason: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#isClosing = true
      this.#subscriptions.end()
      return this.#flushed
    }).pipe(Effect.ensuring(Effect.sync(() => this.close(1012, reason))))
  }

  /**
   * Asks a peer that was silent for `pingMillis` for a sign of life, and gives up one that was asked and is silent still.
   * Nobody is given up unasked or unread, however long this process itself was kept from looking.
   */
  checkAlive(pingMillis: number): void {
    if (this.#isPaused || this.#services.now() - this.#heardAt < pingMillis) return
    if (this.#isAsked) return this.close(1008, "There was no sign of life")
    this.#isAsked = true
    this.#begun?.conversation.ask()
  }

  /** Whether the connection was greeted with another id: what its peer knows of this server is of an earlier history. */
  isOutdated(remoteId: EventJournal.RemoteId): boolean {
    return this.#begun?.peer.remoteId.some((byte, index) => byte !== remoteId[index]) ?? false
  }

  /** Runs a check of this connection's grants; one that dies is logged. */
  check(check: (grants: Grants) => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => (this.grants === undefined ? Effect.void : check(this.grants))).pipe(
      Effect.catchCause((cause) => Effect.logError("A connection could not be checked again", cause)),
      Effect.updateContext((context) => aboutConnection(context, this.details))
    )
  }

  #begin(remoteId: EventJournal.RemoteId): Effect.Effect<void> {
    if (this.#isEnded) return Effect.void
    const { account } = this
    const { access, crowd, feed, now, sessionAuth, submit } = this.#services
    const grants = new Grants({
      access,
      feed,
      submit,
      limits: this.#protocol.limits,
      now,
      remoteId: sessionAuth === "required" ? remoteId : undefined,
      subscriptions: this.#subscriptions,
      room: () => account.room,
      gather: () => crowd.gather(),
      run: this.#run,
      onTrust: (isTrusted) => {
        account.isTrusted = isTrusted
        this.#services.onTrust(this, isTrusted)
      }
    })
    const peer = this.#peer(remoteId, grants)
    const conversation = this.#protocol.converse(peer)
    this.#begun = { peer, conversation }
    return conversation.start
  }

  #peer(remoteId: EventJournal.RemoteId, grants: Grants): Peer {
    const isEnded = () => this.#isEnded
    const isClosing = () => this.#isClosing
    return {
      remoteId,
      account: this.account,
      grants,
      outflow: this.#outflow,
      subscriptions: this.#subscriptions,
      get isEnded() {
        return isEnded()
      },
      get isClosing() {
        return isClosing()
      },
      run: (effect) => this.#run(effect),
      close: (code, reason) => this.close(code, reason),
      join: (part) => this.#join(part)
    }
  }

  #accountEvents(): AccountEvents {
    return {
      onPressure: (isPressed) => this.#press(isPressed),
      queuedBytes: () => this.#outflow.heldBytes(),
      evict: () => {
        this.close(1013, "The server holds too much")
        this.terminate()
      }
    }
  }

  /** The frame, or what is kept of it before a key was proved; `undefined` where it is too big. */
  #fitting(frame: Uint8Array): Uint8Array | undefined {
    const { limits, shrink } = this.#protocol
    if (frame.byteLength > limits.maxFrameBytes) return undefined
    if (this.account.isTrusted || frame.byteLength <= limits.maxUnprovedFrameBytes) return frame
    return shrink?.(frame)
  }

  #join(part: typeof ChunkedMessage.Type): Result.Result<Frame | undefined, ChunkError> {
    const { account } = this
    this.#joiner ??= new ChunkJoiner(this.#protocol.limits)
    account.changeParts(part.data.byteLength + frameCost)
    return Result.map(this.#joiner.add(part), (bytes) => {
      if (bytes === undefined) return undefined
      account.changeParts(-(bytes.byteLength + part.part[1] * frameCost))
      return { bytes, holding: account.hold(bytes.byteLength) }
    })
  }

  #press(isPressed: boolean): void {
    if (this.#isEnded || this.#transport.pause === undefined) return
    this.#isPaused = isPressed
    if (isPressed) return this.#transport.pause()
    // Nothing was heard of the peer while nobody listened.
    this.#heardAt = this.#services.now()
    this.#transport.resume?.()
  }

  #checkQueue(): void {
    this.account.recount()
    if (this.#isEnded || !this.account.isOverQueued) return
    this.close(1008, "The connection is not being read")
    this.terminate()
  }

  #end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#endedAt = this.#services.now()
    this.#subscriptions.end()
    this.#outflow.end()
    for (const { holding } of this.#frames.splice(0)) holding.release()
    this.account.close()
    this.#services.onEnded(this)
  }

  #start(effect: Effect.Effect<void>): void {
    this.#run(
      // Nobody would handle the frames to come.
      Effect.catchCause(effect, (cause) =>
        Effect.andThen(
          Effect.sync(() => this.close(1011, "The server failed")),
          Effect.logError("A connection failed", cause)
        )
      )
    )
  }

  /** Handles frames in the order of their arrival, as fast as the rate lets them in, until none waits. */
  readonly #work: Effect.Effect<void> = Effect.suspend(() => {
    if (this.#isEnded || this.#frames.length === 0) {
      this.#isWorking = false
      return Effect.void
    }
    return Effect.andThen(this.#handleNext(), this.#work)
  })

  /** Handles the frame that just came, while none waits. A fiber is for what is left to be done then. */
  #workAtOnce(): void {
    this.#isWorking = true
    this.#workAfter(this.#handleNext())
  }

  /** Goes on with the frames that wait once something is done. */
  #workAfter(left: Effect.Effect<void>): void {
    if (isDone(left) && this.#frames.length === 0) this.#isWorking = false
    else this.#start(Effect.andThen(left, this.#work))
  }

  /** Handles the next frame as far as nothing has to be waited for; a frame that the rate doesn't let in yet stays. */
  #handleNext(): Effect.Effect<void> {
    const millis = this.account.admit(this.#services.now())
    if (millis > 0) return Effect.sleep(millis)
    const frame = this.#frames.shift()!
    try {
      return this.#begun!.conversation.receive(frame)
    } catch (defect) {
      frame.holding.release()
      return Effect.die(defect)
    }
  }

  get #flushed(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const isFlushed = this.isIdle && this.#outflow.isFlushed
      return this.#isEnded || isFlushed ? Effect.void : Effect.andThen(Effect.sleep(flushPollMillis), this.#flushed)
    })
  }
}
