import { Context, Effect, type Fiber, References } from "effect"
import { type Connection, CurrentConnection } from "./CurrentConnection.ts"
import type { Conversation, Protocol } from "./conversation.ts"
import { Inbound } from "./inbound.ts"
import type { Transport, TransportListener } from "./Transport.ts"

/** What every session of a server shares. */
export interface SessionServices {
  readonly now: () => number
  /** Runs in the server's scope, not the connection's: what was begun is finished. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
}

/** How long a drained connection that does not flush is left alone before it is looked at again. */
const flushPollMillis = 5

/** One connection, whatever protocol it speaks: what comes in is bounded and handled in order, and it ends once. */
export class Session implements TransportListener {
  readonly connection: Connection
  readonly conversation: Conversation
  private readonly transport: Transport
  private readonly protocol: Protocol
  private readonly services: SessionServices
  private readonly onEnded: (session: Session) => void
  private readonly inbound: Inbound
  private working = false
  private ended = false
  private closing = false
  private heardAt: number
  /** Whether the peer was asked for a sign of life that did not come yet. */
  private isAsked = false

  /** @param onEnded called once, when the connection is gone or was closed */
  constructor(
    transport: Transport,
    connection: Connection,
    protocol: Protocol,
    services: SessionServices,
    onEnded: (session: Session) => void
  ) {
    this.transport = transport
    this.connection = connection
    this.protocol = protocol
    this.services = services
    this.onEnded = onEnded
    this.heardAt = services.now()
    this.inbound = new Inbound(protocol.limits, this.heardAt)
    this.conversation = protocol.converse({
      transport,
      inbound: this.inbound,
      run: (effect) => services.run(this.within(effect)),
      close: (code, reason) => this.close(code, reason),
      isEnded: () => this.ended,
      isClosing: () => this.closing
    })
  }

  /** Greets the peer, then handles what came in meanwhile. */
  open(): void {
    this.start(Effect.andThen(this.conversation.greet, this.work))
  }

  receive(frame: Uint8Array | string): void {
    if (this.ended) return
    this.heardAt = this.services.now()
    this.isAsked = false
    if (typeof frame === "string") return this.close(1007, "The protocol has binary frames only")
    if (frame.byteLength > this.protocol.limits.maxFrameBytes) return this.close(1009, "The frame is too big")
    if (!this.inbound.offer(frame, this.conversation.maxInboundBytes)) return this.close(1008, "Too much is unanswered")
    if (!this.working) this.start(this.work)
  }

  closed(): void {
    if (this.ended) return
    this.ended = true
    this.conversation.hangUp()
    this.inbound.clear()
    this.onEnded(this)
  }

  /** Closes the connection, with a websocket close code. What was accepted is still committed. */
  close(code: number, reason: string): void {
    if (this.ended) return
    this.closed()
    try {
      this.transport.close(code, reason)
    } catch {
      // None may throw. Whoever closes may be serving other connections too; for this session it is over anyway.
    }
  }

  /** Accepts nothing more, waits until every accepted write was answered and sent, then closes with 1012. */
  drain(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closing = true
      this.conversation.end()
      return this.flushed
    }).pipe(Effect.ensuring(Effect.sync(() => this.close(1012, "The server restarts"))))
  }

  /**
   * Asks a peer that was silent for `pingMillis` for a sign of life, and gives up one that was asked and is silent still.
   * Nobody is given up unasked, however long this process itself was kept from looking.
   */
  checkAlive(pingMillis: number): void {
    if (this.services.now() - this.heardAt < pingMillis) return
    if (this.isAsked) return this.close(1008, "There was no sign of life")
    this.isAsked = true
    this.conversation.ask()
  }

  /** Asks again whether the keys of this connection, or one of them, may do what they were granted. */
  reauthorize(only?: string | undefined): Effect.Effect<void> {
    return Effect.suspend(() => this.conversation.reauthorize(only)).pipe(
      Effect.catchCause((cause) => Effect.logError("A connection could not be checked again", cause)),
      (effect) => this.within(effect)
    )
  }

  /** Lets callbacks and logs know which connection it is about. */
  private within<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const { connection } = this
    return Effect.updateContext(effect, (context) =>
      context.pipe(
        Context.add(CurrentConnection, connection),
        Context.add(References.CurrentLogAnnotations, {
          ...Context.get(context, References.CurrentLogAnnotations),
          connectionId: connection.id
        })
      )
    )
  }

  private start(effect: Effect.Effect<void>): void {
    this.working = true
    this.services.run(
      // Nobody would handle the frames to come.
      Effect.catchCause(this.within(effect), (cause) =>
        Effect.andThen(
          Effect.sync(() => this.close(1011, "The server failed")),
          this.within(Effect.logError("A connection failed", cause))
        )
      )
    )
  }

  /** Handles frames in the order of their arrival until none waits. */
  private readonly work: Effect.Effect<void> = Effect.suspend(() => {
    const frame = this.ended ? undefined : this.inbound.take()
    if (frame === undefined) {
      this.working = false
      return Effect.void
    }
    return Effect.andThen(this.conversation.handleFrame(frame), this.work)
  })

  private get flushed(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const isFlushed = !this.working && this.conversation.isIdle
      return this.ended || isFlushed ? Effect.void : Effect.andThen(Effect.sleep(flushPollMillis), this.flushed)
    })
  }
}
