import { Cause, Effect, Result } from "effect"
import type { ConversationServices, Peer } from "../../connection/conversation.ts"
import { checkPublicKey } from "../../connection/publicKey.ts"
import { type Requests, shuttingDown } from "../../connection/requests.ts"
import type { Subscriptions } from "../../connection/subscriptions.ts"
import { ChunkJoiner } from "../../wire/chunks.ts"
import { decodeRequestUnencrypted } from "../../wire/codec.ts"
import { type DomainError, RequestError } from "../../wire/errors.ts"
import type {
  ChunkedMessage,
  Ping,
  ProtocolRequestUnencrypted,
  RequestChanges,
  WriteEntries
} from "../../wire/messages.ts"
import type { Handshake } from "./handshake.ts"
import type { Outbound } from "./outbound.ts"
import { correlationOf, type KeyedRequest, type Replies } from "./replies.ts"

/** What a dispatcher needs of its connection. */
export interface DispatcherContext {
  readonly services: Pick<ConversationServices, "limits" | "now">
  readonly peer: Peer
  readonly outbound: Outbound
  readonly replies: Replies
  readonly subscriptions: Subscriptions
  readonly requests: Requests
}

/** Turns the frames of one connection into requests, each by its tag. */
export class Dispatcher {
  private readonly context: DispatcherContext
  private readonly handshake: Handshake
  private readonly joiner: ChunkJoiner

  constructor(context: DispatcherContext, handshake: Handshake) {
    this.context = context
    this.handshake = handshake
    this.joiner = new ChunkJoiner(context.services.limits)
  }

  /** See `Conversation.handleFrame`. */
  handleFrame(frame: Uint8Array): Effect.Effect<void> {
    if (!this.handshake.isTrusted && frame.byteLength > this.context.services.limits.maxUnprovedFrameBytes) {
      return this.close(1008, "A key must be proved first")
    }
    return this.handleBytes(frame, false)
  }

  private handleBytes(bytes: Uint8Array, isJoined: boolean): Effect.Effect<void> {
    const decoded = decodeRequestUnencrypted(bytes)
    if (Result.isSuccess(decoded)) return this.handle(decoded.success, bytes.byteLength, isJoined)
    this.context.peer.inbound.release(bytes.byteLength)
    const { closeCode, correlation, message } = decoded.failure
    if (correlation === undefined) return this.close(closeCode, message)
    return this.context.replies.refuse(Cause.fail(new RequestError({ reason: "Malformed", message })), correlation)
  }

  /** Handles one message, and lets go of its bytes once it was answered. */
  private handle(message: ProtocolRequestUnencrypted, bytes: number, isJoined: boolean): Effect.Effect<void> {
    if (message._tag === "WriteEntries") return this.handleWrite(message, bytes)
    const { outbound, peer, subscriptions } = this.context
    peer.inbound.release(bytes)
    switch (message._tag) {
      case "ChunkedMessage":
        return isJoined ? this.close(1008, "A chunked message may not hold a chunk") : this.handleChunk(message)
      case "Ping":
        return this.handlePing(message)
      case "Pong":
        return Effect.sync(() => outbound.pong(message.id))
      case "StopChanges":
        return Effect.sync(() => subscriptions.stop(message.publicKey, message.id))
      case "RequestChanges":
        return this.answer(message, () => this.subscribe(message))
      case "Authenticate":
        return Effect.andThen(
          this.answer(message, () => this.handshake.authenticate(message)),
          this.handshake.challengeAgain
        )
    }
  }

  private handleWrite(message: typeof WriteEntries.Type, bytes: number): Effect.Effect<void> {
    const { peer, replies, requests } = this.context
    const release = () => peer.inbound.release(bytes)
    const write = requests.write(message, (exit) => {
      release()
      replies.acknowledge(message, exit)
    })
    return this.answer(message, () => Effect.onError(write, () => Effect.sync(release)), release)
  }

  private handleChunk(message: typeof ChunkedMessage.Type): Effect.Effect<void> {
    if (!this.handshake.isTrusted) return this.close(1008, "A key must be proved first")
    const joined = this.joiner.add(message)
    if (Result.isFailure(joined)) return this.close(joined.failure.closeCode, joined.failure.message)
    if (joined.success === undefined) return Effect.void
    this.context.peer.inbound.hold(joined.success.byteLength)
    return this.handleBytes(joined.success, true)
  }

  private handlePing(message: typeof Ping.Type): Effect.Effect<void> {
    const { outbound, peer } = this.context
    if (this.notAdmitted() !== undefined && !peer.isClosing()) return this.close(1008, "Too many pings")
    return Effect.sync(() => outbound.send({ _tag: "Pong", id: message.id }))
  }

  /** A refused subscription leaves the key's former one as it is. */
  private subscribe(message: typeof RequestChanges.Type): Effect.Effect<void, DomainError> {
    const { requests, subscriptions } = this.context
    return Effect.map(requests.subscribe(message), (opened) => {
      const { id, publicKey } = message
      subscriptions.start({ publicKey, storeId: opened.storeId, id }, opened)
    })
  }

  /** Performs a request if one may be taken now, and answers its failure with an `Error`. */
  private answer(
    message: KeyedRequest,
    perform: () => Effect.Effect<void, DomainError>,
    onNotAdmitted: () => void = () => {}
  ): Effect.Effect<void> {
    const { replies, services } = this.context
    const refusal = this.notAdmitted() ?? checkPublicKey(message.publicKey, services.limits)
    if (refusal !== undefined) onNotAdmitted()
    const request = refusal === undefined ? perform() : Effect.fail(refusal)
    return Effect.catchCause(request, (cause) => replies.refuse(cause, correlationOf(message)))
  }

  /** Why no further request is taken now, if so. */
  private notAdmitted(): RequestError | undefined {
    const { peer, services } = this.context
    if (peer.isClosing()) return shuttingDown()
    if (peer.inbound.admit(services.now())) return undefined
    return new RequestError({ reason: "RateLimited", message: "Too many requests" })
  }

  private close(code: number, reason: string): Effect.Effect<void> {
    const { peer } = this.context
    return Effect.sync(() => peer.close(code, reason))
  }
}
