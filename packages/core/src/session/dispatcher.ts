import { Cause, Effect, Exit, type Fiber, Result } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { EntryEncoder } from "../feed/page.ts"
import type { WriteError, Written } from "../ingest/ingest.ts"
import type { StorageError } from "../ports/StorageError.ts"
import { ChunkJoiner } from "../protocol/chunks.ts"
import { decodeRequestUnencrypted } from "../protocol/codec.ts"
import { type Correlation, type DomainError, RequestError, toErrorFrame } from "../protocol/errors.ts"
import { announcedLimits } from "../protocol/limits.ts"
import { type ErrorCode, type ProtocolRequestUnencrypted, protocolVersion } from "../protocol/messages.ts"
import type { Inbound } from "./inbound.ts"
import type { Outbound } from "./outbound.ts"
import { Proofs } from "./proofs.ts"
import { checkPublicKey } from "./publicKey.ts"
import { type RequestContext, Requests, shuttingDown } from "./requests.ts"
import { Subscriptions } from "./subscriptions.ts"

/** What the dispatchers of a server share. */
export interface DispatcherServices extends Pick<RequestContext, "access" | "ingest" | "feed" | "limits" | "now"> {
  readonly remoteId: Effect.Effect<EventJournal.RemoteId, StorageError>
  readonly sessionAuth: "required" | "off"
  /** One function for the whole server: each page is encoded once for all connections. */
  readonly encodeEntry: EntryEncoder
  /** Called for every `Error` that is sent. */
  readonly onRejected: (code: ErrorCode) => void
}

/** The connection, as its dispatcher sees it. */
export interface Peer {
  readonly inbound: Inbound
  readonly outbound: Outbound
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly close: (code: number, reason: string) => void
  readonly isEnded: () => boolean
  readonly isClosing: () => boolean
}

type Message<Tag extends ProtocolRequestUnencrypted["_tag"]> = Extract<
  ProtocolRequestUnencrypted,
  { readonly _tag: Tag }
>

/** Turns the frames of one connection into requests, and their outcomes into frames. */
export class Dispatcher {
  private readonly services: DispatcherServices
  private readonly peer: Peer
  private readonly joiner: ChunkJoiner
  private readonly subscriptions: Subscriptions
  private proofs: Proofs | undefined
  private requests: Requests | undefined
  private remoteId: EventJournal.RemoteId | undefined

  constructor(services: DispatcherServices, peer: Peer) {
    this.services = services
    this.peer = peer
    this.joiner = new ChunkJoiner(services.limits)
    this.subscriptions = new Subscriptions({
      outbound: peer.outbound,
      encodeEntry: services.encodeEntry,
      run: peer.run,
      onFailed: (cause, request) => peer.run(this.refuse(cause, request))
    })
  }

  /** Writes that were accepted and not answered yet. */
  get pendingWrites(): number {
    return this.requests?.pendingWrites ?? 0
  }

  get subscriptionCount(): number {
    return this.subscriptions.size
  }

  /** Whether the peer proved a key, or need not. Until then it is allowed very little. */
  get isTrusted(): boolean {
    return this.services.sessionAuth === "off" || (this.proofs?.size ?? 0) > 0
  }

  /** Whether the connection proved a key, or has a subscription for it. */
  uses(publicKey: string): boolean {
    return this.proofs?.get(publicKey) !== undefined || this.subscriptions.has(publicKey)
  }

  /** Whether a subscription reads the store. */
  reads(storeId: string): boolean {
    return this.subscriptions.all().some((subscription) => subscription.storeId === storeId)
  }

  /** Whether the peer was greeted with another id: what it knows of this server is of an earlier history. */
  isOutdated(remoteId: EventJournal.RemoteId): boolean {
    return this.remoteId?.some((byte, index) => byte !== remoteId[index]) ?? false
  }

  /** Ends every subscription, and lets none begin. */
  end(): void {
    this.subscriptions.end()
  }

  /** Tells the peer who this is. Nothing can be handled before. */
  readonly greet: Effect.Effect<void> = Effect.suspend(() => this.services.remoteId).pipe(
    Effect.flatMap((remoteId) => {
      const { access, limits, sessionAuth } = this.services
      this.remoteId = remoteId
      this.proofs = sessionAuth === "required" ? new Proofs(remoteId, access, limits) : undefined
      this.requests = new Requests({
        ...this.services,
        outbound: this.peer.outbound,
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

  /** Handles one frame. It fails never: whatever is wrong with it is answered, or closes the connection. */
  handleFrame(frame: Uint8Array): Effect.Effect<void> {
    if (!this.isTrusted && frame.byteLength > this.services.limits.maxUnprovedFrameBytes) {
      return this.close(1008, "A key must be proved first")
    }
    return this.handleBytes(frame, false)
  }

  /** See `Requests.reauthorize`. */
  reauthorize(only?: string | undefined): Effect.Effect<void> {
    const lost = {
      key: (publicKey: string, error: DomainError) => this.revoke(publicKey, error),
      subscription: (publicKey: string, error: DomainError) => this.endSubscription(publicKey, error)
    }
    return this.requests?.reauthorize(lost, only) ?? Effect.void
  }

  /** See `Requests.accessChanged`. */
  accessChanged(publicKey: string): void {
    this.requests?.accessChanged(publicKey)
  }

  /** Ends what a key was granted on this connection, and says why where it had a subscription. */
  revoke(publicKey: string, error: DomainError): void {
    this.accessChanged(publicKey)
    this.proofs?.revoke(publicKey)
    this.endSubscription(publicKey, error)
  }

  private endSubscription(publicKey: string, error: DomainError): void {
    const active = this.subscriptions.get(publicKey)
    if (active === undefined) return
    this.subscriptions.stop(publicKey)
    const id = active.id === undefined ? {} : { id: active.id }
    this.peer.run(this.refuse(Cause.fail(error), { requestTag: "RequestChanges", publicKey, ...id }))
  }

  private hello(remoteId: EventJournal.RemoteId): Effect.Effect<void> {
    const challenge = this.proofs?.issue(this.services.now()) ?? Effect.succeed(undefined)
    return Effect.map(challenge, (challenge) => {
      this.peer.outbound.send({
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
        return Effect.sync(() => this.peer.outbound.pong(message.id))
      case "StopChanges":
        return Effect.sync(() => this.subscriptions.stop(message.publicKey, message.id))
      case "RequestChanges":
        return this.answer(message, () => this.requests!.subscribe(message))
      case "Authenticate":
        return Effect.andThen(
          this.answer(message, () => this.requests!.authenticate(message)),
          this.challengeAgain
        )
    }
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
    return Effect.sync(() => this.peer.outbound.send({ _tag: "Pong", id: message.id }))
  }

  private acknowledge(message: Message<"WriteEntries">, exit: Exit.Exit<Written, WriteError>): void {
    if (Exit.isFailure(exit)) return void this.peer.run(this.refuse(exit.cause, correlationOf(message)))
    if (this.peer.isEnded()) return
    this.peer.outbound.send({ _tag: "Ack", id: message.id, sequenceNumbers: exit.value.sequenceNumbers })
  }

  /**
   * A proof uses the challenge up. A successful one was answered with the next; after a failed one the peer gets a new
   * `Hello`, unless it failed so often that it must be guessing.
   */
  private readonly challengeAgain: Effect.Effect<void> = Effect.suspend(() => {
    if (this.proofs === undefined || this.proofs.hasChallenge || this.peer.isEnded()) return Effect.void
    if (this.proofs.isExhausted) return this.close(1008, "Too many proofs failed")
    return this.hello(this.proofs.remoteId)
  })

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
      this.peer.outbound.send(frame)
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
