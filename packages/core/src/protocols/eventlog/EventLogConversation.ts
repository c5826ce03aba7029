import { Cause, Effect, Exit, Result } from "effect"
import { goOn, onFailed, recover } from "../../connection/atOnce.ts"
import type { Conversation, Frame, Peer, ProtocolServices } from "../../connection/protocol.ts"
import { refuseWith, shuttingDown } from "../../connection/refusal.ts"
import type { ActiveSubscription } from "../../connection/Subscriptions.ts"
import type { PageEncoder } from "../../feed/page.ts"
import type { Sink } from "../../feed/sink.ts"
import { changesMessage, changesPrefix } from "../../wire/changes.ts"
import { chunkBytes, splitMessage } from "../../wire/chunks.ts"
import { decodeRequestUnencrypted, encodeResponseUnencrypted, type RequestBounds } from "../../wire/codec.ts"
import { type Correlation, type DomainError, RequestError, toErrorFrame } from "../../wire/errors.ts"
import { type AnnouncedLimits, entryCost } from "../../wire/limits.ts"
import {
  type Authenticate,
  type ChunkedMessage,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted,
  protocolVersion,
  type RequestChanges,
  type WriteEntries
} from "../../wire/messages.ts"
import type { EncodedEntries } from "../../wire/remoteEntries.ts"

/** What the conversations of a server share. */
export interface EventLogServices extends ProtocolServices {
  /** One function for the whole server: each page is encoded once for all connections. */
  readonly encodeEntries: PageEncoder<EncodedEntries>
  /** What `Hello` says of the limits. */
  readonly announced: AnnouncedLimits
  /** How much a request may declare. */
  readonly bounds: RequestBounds
}

/** A message that names the key which it is about. */
type KeyedRequest = Extract<ProtocolRequestUnencrypted, { readonly publicKey: string }>

/** Our own protocol on one connection: frames become requests, and their outcomes frames. */
export class EventLogConversation implements Conversation {
  readonly #services: EventLogServices
  readonly #peer: Peer
  #nextChunkedId = 0
  #nextPingId = 0
  /** What the peer was told last of how it is to come back. */
  #reconnectWithin = 0
  /** The Ping that ends a window of bytes, and where that ends. */
  #window: { readonly id: number; readonly end: number } | undefined

  constructor(services: EventLogServices, peer: Peer) {
    this.#services = services
    this.#peer = peer
  }

  /** Says who the server is and what it takes, with a challenge where it wants proofs. */
  get start(): Effect.Effect<void> {
    const { grants, remoteId } = this.#peer
    const { announced, now } = this.#services
    return goOn(grants.challenge?.issue(now()) ?? Effect.succeed(undefined), (challenge) => {
      this.#send({
        _tag: "Hello",
        remoteId,
        protocol: protocolVersion,
        limits: announced,
        ...(challenge === undefined ? {} : { challenge }),
        ...this.#comeback
      })
      return Effect.void
    })
  }

  receive(frame: Frame): Effect.Effect<void> {
    return this.#read(frame, false)
  }

  /** Any Ping is answered by a Pong; one that ends a window has an id that only who has read it can name. */
  ask(end?: number): void {
    const id = end === undefined ? this.#nextPingId++ : unguessable()
    if (end !== undefined) this.#window = { id, end }
    this.#send({ _tag: "Ping", id })
  }

  begin(subscription: ActiveSubscription, head: number): Sink {
    const { outflow } = this.#peer
    const tags = tagsOf(subscription)
    const prefix = changesPrefix(tags)
    this.#send({ _tag: "Subscribed", ...tags, head })
    return {
      deliver: (page, from) =>
        this.#sendEncoded(changesMessage(prefix, page.encoded(this.#services.encodeEntries), from)),
      ready: outflow.ready,
      drained: outflow.drained,
      caughtUp: (head) => this.#send({ _tag: "CaughtUp", ...tags, head })
    }
  }

  refuse(subscription: ActiveSubscription, cause: Cause.Cause<DomainError>): void {
    this.#peer.run(this.#refuse(cause, { requestTag: "RequestChanges", ...tagsOf(subscription) }))
  }

  #read(frame: Frame, isJoined: boolean): Effect.Effect<void> {
    const decoded = decodeRequestUnencrypted(frame.bytes, this.#services.bounds)
    if (Result.isSuccess(decoded)) return this.#handle(decoded.success, frame, isJoined)
    frame.holding.release()
    const { closeCode, correlation, message, reason } = decoded.failure
    if (correlation === undefined) return this.#close(closeCode, message)
    return this.#refuse(Cause.fail(new RequestError({ reason, message })), correlation)
  }

  /** Handles one message. Only a write holds on to its frame: until it was answered. */
  #handle(message: ProtocolRequestUnencrypted, { holding }: Frame, isJoined: boolean): Effect.Effect<void> {
    if (message._tag === "WriteEntries") {
      holding.grow(message.entries.length * entryCost)
      return this.#write(message, holding)
    }
    holding.release()
    switch (message._tag) {
      case "ChunkedMessage":
        return isJoined ? this.#close(1008, "A chunked message may not hold a chunk") : this.#join(message)
      case "Ping":
        return Effect.sync(() => this.#send({ _tag: "Pong", id: message.id, ...this.#comeback }))
      case "Pong":
        return Effect.sync(() => this.#readUpTo(message.id))
      case "StopChanges":
        return Effect.sync(() => this.#peer.subscriptions.stop(message.publicKey, message.id))
      case "RequestChanges":
        return this.#perform(message, this.#unlessClosing(this.#subscribe(message)))
      case "Authenticate":
        return Effect.andThen(
          this.#perform(message, this.#unlessClosing(this.#authenticate(message))),
          this.#challengeAgain
        )
    }
  }

  #write(message: typeof WriteEntries.Type, holding: Frame["holding"]): Effect.Effect<void> {
    const { entries, publicKey } = message
    const write = this.#peer.isClosing
      ? Effect.fail(shuttingDown())
      : this.#peer.grants.write({
          publicKey,
          entries,
          begun: () => holding.work(),
          complete: (exit) => {
            holding.release()
            if (Exit.isFailure(exit)) return void this.#peer.run(this.#refuse(exit.cause, correlationOf(message)))
            this.#send({ _tag: "Ack", id: message.id, sequenceNumbers: exit.value.sequenceNumbers })
          }
        })
    const held = onFailed(write, () => holding.release())
    return recover(held, (cause) => this.#refuse(cause, correlationOf(message)))
  }

  #join(part: typeof ChunkedMessage.Type): Effect.Effect<void> {
    if (!this.#peer.grants.isTrusted) return this.#close(1008, "A key must be proved first")
    const joined = this.#peer.join(part)
    if (Result.isFailure(joined)) return this.#close(joined.failure.closeCode, joined.failure.message)
    return joined.success === undefined ? Effect.void : this.#read(joined.success, true)
  }

  /** A refused subscription leaves the key's former one as it is. */
  #subscribe(request: typeof RequestChanges.Type): Effect.Effect<void, DomainError> {
    const { grants, subscriptions } = this.#peer
    const { id, maxBytes, maxEntries, publicKey } = request
    return Effect.map(grants.subscribe(request), (opened) =>
      subscriptions.start({ publicKey, storeId: opened.storeId, id, portion: { maxBytes, maxEntries } }, opened)
    )
  }

  /** Proves a key; the reply carries the challenge for the next one. */
  #authenticate({ _tag, ...proof }: typeof Authenticate.Type): Effect.Effect<void, DomainError> {
    const { grants } = this.#peer
    return Effect.andThen(
      grants.prove(proof),
      Effect.suspend(() =>
        Effect.map(grants.challenge!.issue(this.#services.now()), (challenge) =>
          this.#send({ _tag: "Authenticated", publicKey: proof.publicKey, challenge })
        )
      )
    )
  }

  /**
   * A proof uses the challenge up. A successful one was answered with the next; after a failed one the peer gets a new
   * `Hello`, unless it failed so often that it must be guessing.
   */
  get #challengeAgain(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { grants, isEnded } = this.#peer
      if (grants.challenge === undefined || grants.challenge.isOpen || isEnded) return Effect.void
      return grants.isExhausted ? this.#close(1008, "Too many proofs failed") : this.start
    })
  }

  /** How the peer is to come back if it loses the server, where that is news. */
  get #comeback(): { readonly reconnectWithin?: number } {
    const reconnectWithin = this.#services.reconnectWithin()
    if (reconnectWithin === this.#reconnectWithin) return {}
    this.#reconnectWithin = reconnectWithin
    return { reconnectWithin }
  }

  /** The peer answered a Ping. */
  #readUpTo(id: number): void {
    if (id !== this.#window?.id) return
    const { end } = this.#window
    this.#window = undefined
    this.#peer.outflow.readUpTo(end)
  }

  /** Performs a request, and tells of its failure with an `Error`. */
  #perform(message: KeyedRequest, request: Effect.Effect<void, DomainError>): Effect.Effect<void> {
    return Effect.catchCause(request, (cause) => this.#refuse(cause, correlationOf(message)))
  }

  #unlessClosing(request: Effect.Effect<void, DomainError>): Effect.Effect<void, DomainError> {
    return Effect.suspend(() => (this.#peer.isClosing ? Effect.fail(shuttingDown()) : request))
  }

  #refuse(cause: Cause.Cause<DomainError>, correlation: Correlation): Effect.Effect<void> {
    return refuseWith(cause, (error) => {
      if (this.#peer.isEnded) return
      const frame = toErrorFrame(error, correlation)
      this.#services.onRejected(frame.code, error, correlation.publicKey)
      this.#send(frame)
    })
  }

  #send(message: ProtocolResponseUnencrypted): void {
    if (!this.#peer.isEnded) this.#sendEncoded(encodeResponseUnencrypted(message))
  }

  /** Sends a message that is encoded already; a big one goes out in chunks. */
  #sendEncoded(message: Uint8Array): void {
    if (message.byteLength <= chunkBytes) return this.#peer.outflow.send([message])
    this.#peer.outflow.send(splitMessage(message, this.#nextChunkedId))
    this.#nextChunkedId = (this.#nextChunkedId + 1) % 0x1_0000_0000
  }

  #close(code: number, reason: string): Effect.Effect<void> {
    return Effect.sync(() => this.#peer.close(code, reason))
  }
}

/** What every message about a subscription carries. */
const tagsOf = ({ id, publicKey }: ActiveSubscription): { readonly publicKey: string; readonly id?: number } =>
  typeof id === "number" ? { publicKey, id } : { publicKey }

/** What an `Error` says of the request, so that a client which has several under way knows which one failed. */
const correlationOf = (message: KeyedRequest): Correlation => ({
  requestTag: message._tag,
  publicKey: message.publicKey,
  ...("id" in message && message.id !== undefined ? { id: message.id } : {})
})

/** An id that only who has read it can name: a peer that guessed it would be sent more than it reads. */
const unguessable = (): number => {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2))
  return (high % 0x20_0000) * 0x1_0000_0000 + low
}
