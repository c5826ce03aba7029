import { Cause, Effect, Exit, Result } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { PageEncoder } from "../feed/page.ts"
import type { WriteError, Written } from "../ingest/ingest.ts"
import { ChunkJoiner } from "../protocol/chunks.ts"
import { decodeRequestUnencrypted } from "../protocol/codec.ts"
import { type Correlation, type DomainError, RequestError, toErrorFrame } from "../protocol/errors.ts"
import { announcedLimits } from "../protocol/limits.ts"
import { type Authenticate, type ProtocolRequestUnencrypted, protocolVersion } from "../protocol/messages.ts"
import { type EncodedEntries, encodeRemoteEntries } from "../protocol/remoteEntries.ts"
import { makeChangesSink, tagsOf } from "./changesSink.ts"
import type { Conversation, ConversationServices, Peer, Protocol } from "./conversation.ts"
import { Outbound } from "./outbound.ts"
import { Proofs } from "./proofs.ts"
import { checkPublicKey } from "./publicKey.ts"
import { Requests, shuttingDown } from "./requests.ts"
import { Subscriptions } from "./subscriptions.ts"

/** What the dispatchers of a server share. */
interface DispatcherServices extends ConversationServices {
  /** One function for the whole server: each page is encoded once for all connections. */
  readonly encodeEntries: PageEncoder<EncodedEntries>
}

/** Our own protocol, as `docs/wire-protocol.md` describes it. */
export const eventLogProtocol = (services: ConversationServices): Protocol => {
  const encodeEntries: PageEncoder<EncodedEntries> = (entries) => {
    services.onEncoded(entries.length)
    return encodeRemoteEntries(entries)
  }
  return { limits: services.limits, converse: (peer) => new Dispatcher({ ...services, encodeEntries }, peer) }
}

type Message<Tag extends ProtocolRequestUnencrypted["_tag"]> = Extract<
  ProtocolRequestUnencrypted,
  { readonly _tag: Tag }
>

/** Turns the frames of one connection into requests, and their outcomes into frames. */
class Dispatcher implements Conversation {
  private readonly services: DispatcherServices
  private readonly peer: Peer
  private readonly outbound: Outbound
  private readonly joiner: ChunkJoiner
  private readonly subscriptions: Subscriptions
  private proofs: Proofs | undefined
  private requests: Requests | undefined
  private remoteId: EventJournal.RemoteId | undefined

  constructor(services: DispatcherServices, peer: Peer) {
    this.services = services
    this.peer = peer
    this.outbound = new Outbound(peer.transport, services.limits, {
      onOverflow: () => peer.close(1008, "The connection is not being read"),
      onBroken: () => peer.close(1011, "The connection failed")
    })
    this.joiner = new ChunkJoiner(services.limits)
    this.subscriptions = new Subscriptions({
      begin: (subscription, head) => {
        this.outbound.send({ _tag: "Subscribed", ...tagsOf(subscription), head })
        return makeChangesSink(this.outbound, services.encodeEntries, subscription)
      },
      run: peer.run,
      onFailed: (cause, subscription) =>
        peer.run(this.refuse(cause, { requestTag: "RequestChanges", ...tagsOf(subscription) }))
    })
  }

  get isIdle(): boolean {
    return (this.requests?.pendingWrites ?? 0) === 0 && this.outbound.isFlushed
  }

  /** A peer that is not trusted yet may have the bytes of one frame. */
  get maxInboundBytes(): number {
    const { maxFrameBytes, maxInboundBytes } = this.services.limits
    return this.isTrusted ? maxInboundBytes : maxFrameBytes
  }

  get subscriptionCount(): number {
    return this.subscriptions.size
  }

  /** Whether the peer proved a key, or need not. Until then it is allowed very little. */
  private get isTrusted(): boolean {
    return this.services.sessionAuth === "off" || (this.proofs?.size ?? 0) > 0
  }

  uses(publicKey: string): boolean {
    return this.proofs?.get(publicKey) !== undefined || this.subscriptions.has(publicKey)
  }

  reads(storeId: string): boolean {
    return this.subscriptions.all().some((subscription) => subscription.storeId === storeId)
  }

  isOutdated(remoteId: EventJournal.RemoteId): boolean {
    return this.remoteId?.some((byte, index) => byte !== remoteId[index]) ?? false
  }

  ask(): void {
    this.outbound.ping()
  }

  end(): void {
    this.subscriptions.end()
  }

  hangUp(): void {
    this.end()
    this.outbound.end()
  }

  get greet(): Effect.Effect<void> {
    return Effect.suspend(() => this.services.remoteId).pipe(
      Effect.flatMap((remoteId) => {
        const { access, limits, sessionAuth } = this.services
        this.remoteId = remoteId
        this.proofs = sessionAuth === "required" ? new Proofs(remoteId, access, limits) : undefined
        this.requests = new Requests({
          ...this.services,
          submit: this.services.ingest.submit,
          subscriptions: this.subscriptions,
          proofs: this.proofs
        })
        return this.hello(remoteId)
      }),
      Effect.catchCause((cause) =>
        Effect.andThen(
          Effect.logError("A connection could not be greeted", cause),
          Effect.sync(() => this.peer.close(1013, "The storage is unavailable"))
        )
      )
    )
  }

  handleFrame(frame: Uint8Array): Effect.Effect<void> {
    if (!this.isTrusted && frame.byteLength > this.services.limits.maxUnprovedFrameBytes) {
      return this.close(1008, "A key must be proved first")
    }
    return this.handleBytes(frame, false)
  }

  reauthorize(only?: string | undefined): Effect.Effect<void> {
    const lost = {
      key: (publicKey: string, error: DomainError) => this.revoke(publicKey, error),
      subscription: (publicKey: string, error: DomainError) => this.endSubscription(publicKey, error)
    }
    return this.requests?.reauthorize(lost, only) ?? Effect.void
  }

  accessChanged(publicKey: string): void {
    this.requests?.accessChanged(publicKey)
  }

  revoke(publicKey: string, error: DomainError): void {
    this.accessChanged(publicKey)
    this.proofs?.revoke(publicKey)
    this.endSubscription(publicKey, error)
  }

  private endSubscription(publicKey: string, error: DomainError): void {
    const active = this.subscriptions.get(publicKey)
    if (active === undefined) return
    this.subscriptions.stop(publicKey)
    this.peer.run(this.refuse(Cause.fail(error), { requestTag: "RequestChanges", ...tagsOf(active) }))
  }

  private hello(remoteId: EventJournal.RemoteId): Effect.Effect<void> {
    const challenge = this.proofs?.issue(this.services.now()) ?? Effect.succeed(undefined)
    return Effect.map(challenge, (challenge) => {
      this.outbound.send({
        _tag: "Hello",
        remoteId,
        protocol: protocolVersion,
        limits: announcedLimits(this.services.limits),
        ...(challenge === undefined ? {} : { challenge })
      })
    })
  }

  private handleBytes(bytes: Uint8Array, isJoined: boolean): Effect.Effect<void> {
    const decoded = decodeRequestUnencrypted(bytes)
    if (Result.isSuccess(decoded)) return this.handle(decoded.success, bytes.byteLength, isJoined)
    this.peer.inbound.release(bytes.byteLength)
    const { closeCode, correlation, message } = decoded.failure
    if (correlation === undefined) return this.close(closeCode, message)
    return this.refuse(Cause.fail(new RequestError({ reason: "Malformed", message })), correlation)
  }

  /** Handles one message, and lets go of its bytes once it was answered. */
  private handle(message: ProtocolRequestUnencrypted, bytes: number, isJoined: boolean): Effect.Effect<void> {
    if (message._tag === "WriteEntries") return this.handleWrite(message, bytes)
    this.peer.inbound.release(bytes)
    switch (message._tag) {
      case "ChunkedMessage":
        return isJoined ? this.close(1008, "A chunked message may not hold a chunk") : this.handleChunk(message)
      case "Ping":
        return this.handlePing(message)
      case "Pong":
        return Effect.sync(() => this.outbound.pong(message.id))
      case "StopChanges":
        return Effect.sync(() => this.subscriptions.stop(message.publicKey, message.id))
      case "RequestChanges":
        return this.answer(message, () => this.subscribe(message))
      case "Authenticate":
        return Effect.andThen(
          this.answer(message, () => this.authenticate(message)),
          this.challengeAgain
        )
    }
  }

  /** A refused subscription leaves the key's former one as it is. */
  private subscribe(message: Message<"RequestChanges">): Effect.Effect<void, DomainError> {
    return Effect.map(this.requests!.subscribe(message), (opened) => {
      const { id, publicKey } = message
      this.subscriptions.start({ publicKey, storeId: opened.storeId, id }, opened)
    })
  }

  /** Proves a key; the answer carries the challenge for the next one. */
  private authenticate(message: typeof Authenticate.Type): Effect.Effect<void, DomainError> {
    return Effect.gen({ self: this }, function* () {
      yield* this.requests!.accept(yield* this.requests!.verify(message))
      const challenge = yield* this.proofs!.issue(this.services.now())
      this.outbound.send({ _tag: "Authenticated", publicKey: message.publicKey, challenge })
    })
  }

  private handleWrite(message: Message<"WriteEntries">, bytes: number): Effect.Effect<void> {
    const release = () => this.peer.inbound.release(bytes)
    const write = this.requests!.write(message, (exit) => {
      release()
      this.acknowledge(message, exit)
    })
    return this.answer(message, () => Effect.onError(write, () => Effect.sync(release)), release)
  }

  private handleChunk(message: Message<"ChunkedMessage">): Effect.Effect<void> {
    if (!this.isTrusted) return this.close(1008, "A key must be proved first")
    const joined = this.joiner.add(message)
    if (Result.isFailure(joined)) return this.close(joined.failure.closeCode, joined.failure.message)
    if (joined.success === undefined) return Effect.void
    this.peer.inbound.hold(joined.success.byteLength)
    return this.handleBytes(joined.success, true)
  }

  private handlePing(message: Message<"Ping">): Effect.Effect<void> {
    if (this.notAdmitted() !== undefined && !this.peer.isClosing()) return this.close(1008, "Too many pings")
    return Effect.sync(() => this.outbound.send({ _tag: "Pong", id: message.id }))
  }

  private acknowledge(message: Message<"WriteEntries">, exit: Exit.Exit<Written, WriteError>): void {
    if (Exit.isFailure(exit)) return void this.peer.run(this.refuse(exit.cause, correlationOf(message)))
    if (this.peer.isEnded()) return
    this.outbound.send({ _tag: "Ack", id: message.id, sequenceNumbers: exit.value.sequenceNumbers })
  }

  /**
   * A proof uses the challenge up. A successful one was answered with the next; after a failed one the peer gets a new
   * `Hello`, unless it failed so often that it must be guessing.
   */
  private get challengeAgain(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.proofs === undefined || this.proofs.hasChallenge || this.peer.isEnded()) return Effect.void
      if (this.proofs.isExhausted) return this.close(1008, "Too many proofs failed")
      return this.hello(this.proofs.remoteId)
    })
  }

  /** Performs a request if one may be taken now, and answers its failure with an `Error`. */
  private answer(
    message: Extract<ProtocolRequestUnencrypted, { readonly publicKey: string }>,
    perform: () => Effect.Effect<void, DomainError>,
    onNotAdmitted: () => void = () => {}
  ): Effect.Effect<void> {
    const refusal = this.notAdmitted() ?? checkPublicKey(message.publicKey, this.services.limits)
    if (refusal !== undefined) onNotAdmitted()
    const request = refusal === undefined ? perform() : Effect.fail(refusal)
    return Effect.catchCause(request, (cause) => this.refuse(cause, correlationOf(message)))
  }

  /** Why no further request is taken now, if so. */
  private notAdmitted(): RequestError | undefined {
    if (this.peer.isClosing()) return shuttingDown()
    if (this.peer.inbound.admit(this.services.now())) return undefined
    return new RequestError({ reason: "RateLimited", message: "Too many requests" })
  }

  /** Answers a request with an `Error`. A defect is logged, and says nothing of itself to the peer. */
  private refuse(cause: Cause.Cause<DomainError>, correlation: Correlation): Effect.Effect<void> {
    const failure = cause.reasons.find(Cause.isFailReason)?.error
    const isDefect = failure === undefined && !Cause.hasInterruptsOnly(cause)
    const error = failure ?? (isDefect ? internal() : shuttingDown())
    const send = Effect.sync(() => {
      if (this.peer.isEnded()) return
      const frame = toErrorFrame(error, correlation)
      this.services.onRejected(frame.code)
      this.outbound.send(frame)
    })
    return isDefect ? Effect.andThen(Effect.logError("A request died", cause), send) : send
  }

  private close(code: number, reason: string): Effect.Effect<void> {
    return Effect.sync(() => this.peer.close(code, reason))
  }
}

const correlationOf = (message: Extract<ProtocolRequestUnencrypted, { readonly publicKey: string }>): Correlation => ({
  requestTag: message._tag,
  publicKey: message.publicKey,
  ...("id" in message && message.id !== undefined ? { id: message.id } : {})
})

const internal = () => new RequestError({ reason: "Internal", message: "The request failed" })
