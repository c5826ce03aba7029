import { Cause, Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import { closeOnOutflow, closeUngreeted } from "../../connection/closing.ts"
import type { Conversation, ConversationServices, Peer } from "../../connection/conversation.ts"
import { Outflow } from "../../connection/outflow.ts"
import { Proofs } from "../../connection/proofs.ts"
import { Requests } from "../../connection/requests.ts"
import type { PageEncoder } from "../../feed/page.ts"
import { submitInParts } from "../../ingest/submitInParts.ts"
import type { DomainError } from "../../wire/errors.ts"
import { Answers } from "./Answers.ts"
import { type Call, Calls } from "./Calls.ts"
import type { ClientMessage, RequestMessage } from "./envelope.ts"
import { Handlers } from "./Handlers.ts"
import { Keys } from "./Keys.ts"
import { unprovedFrames } from "./limits.ts"
import { Streams } from "./Streams.ts"
import type { Wire } from "./wire.ts"

/** What the conversations of a server share. The limits are those of this protocol. */
export interface RpcServices extends ConversationServices {
  readonly wire: Wire
  /** One function for the whole server: each page is encoded once for all connections. */
  readonly encodePage: PageEncoder<ReadonlyArray<Uint8Array>>
}

/** What there is once the server is known. */
interface Greeted {
  readonly remoteId: EventJournal.RemoteId
  readonly keys: Keys
  readonly requests: Requests
  readonly handlers: Handlers
}

/** The RPC of effect's own event log client, on one connection. */
export class RpcConversation implements Conversation {
  private readonly services: RpcServices
  private readonly peer: Peer
  private readonly outflow: Outflow
  private readonly answers: Answers
  private readonly calls: Calls
  private readonly streams: Streams
  private greeted: Greeted | undefined

  constructor(services: RpcServices, peer: Peer) {
    this.services = services
    this.peer = peer
    this.outflow = new Outflow(peer.transport, services.limits, closeOnOutflow(peer))
    this.answers = new Answers({ ...services, peer, outflow: this.outflow })
    this.calls = new Calls((call) => this.greeted!.handlers.perform(call), peer.run)
    this.streams = new Streams({
      ...services,
      outflow: this.outflow,
      run: peer.run,
      onOver: (id, publicKey, cause) => peer.run(this.refuseStream(id, publicKey, cause))
    })
  }

  get maxInboundBytes(): number {
    const { maxFrameBytes, maxInboundBytes } = this.services.limits
    return this.greeted?.keys.isTrusted === true ? maxInboundBytes : unprovedFrames * maxFrameBytes
  }

  get isIdle(): boolean {
    return this.calls.size === 0 && this.outflow.isFlushed
  }

  get subscriptionCount(): number {
    return this.streams.subscriptions.size
  }

  /** Nothing goes out: a stock client speaks first. */
  get greet(): Effect.Effect<void> {
    return Effect.suspend(() => this.services.remoteId).pipe(
      Effect.andThen((remoteId) => Effect.sync(() => this.begin(remoteId))),
      closeUngreeted(this.peer)
    )
  }

  handleFrame(frame: Uint8Array): Effect.Effect<void> {
    return Effect.sync(() => {
      const messages = this.services.wire.read(frame)
      this.peer.inbound.release(frame.byteLength)
      if (messages === undefined) return this.peer.close(1007, "Not a message of effect's RPC")
      for (const message of messages) {
        if (!this.peer.isEnded()) this.receive(message)
      }
    })
  }

  /** A stock client pings by itself, and can't be asked to. */
  ask(): void {}

  end(): void {
    this.streams.end()
  }

  hangUp(): void {
    this.end()
    this.calls.clear()
    this.outflow.end()
  }

  uses(publicKey: string): boolean {
    return this.greeted?.keys.has(publicKey) === true || this.streams.subscriptions.has(publicKey)
  }

  reads(storeId: string): boolean {
    return this.streams.subscriptions.all().some((subscription) => subscription.storeId === storeId)
  }

  isOutdated(remoteId: EventJournal.RemoteId): boolean {
    return this.greeted?.remoteId.some((byte, index) => byte !== remoteId[index]) ?? false
  }

  reauthorize(only?: string | undefined): Effect.Effect<void> {
    const lost = {
      key: (publicKey: string, error: DomainError) => this.revoke(publicKey, error),
      subscription: (publicKey: string, error: DomainError) => this.endStreamOf(publicKey, error)
    }
    return this.greeted?.requests.reauthorize(lost, only) ?? Effect.void
  }

  accessChanged(publicKey: string): void {
    this.greeted?.requests.accessChanged(publicKey)
  }

  revoke(publicKey: string, error: DomainError): void {
    this.accessChanged(publicKey)
    this.greeted?.keys.revoke(publicKey)
    this.endStreamOf(publicKey, error)
  }

  private begin(remoteId: EventJournal.RemoteId): void {
    const { answers, calls, peer, services, streams } = this
    const { access, ingest, limits, sessionAuth } = services
    const proofs = sessionAuth === "required" ? new Proofs(remoteId, access, limits) : undefined
    const submit = submitInParts(ingest.submit, limits)
    const requests = new Requests({ ...services, submit, subscriptions: streams.subscriptions, proofs })
    const keys = new Keys({ ...services, proofs, requests })
    const handlers = new Handlers({ ...services, remoteId, answers, calls, keys, peer, requests, streams })
    this.greeted = { remoteId, keys, requests, handlers }
  }

  private endStreamOf(publicKey: string, error: DomainError): void {
    const id = this.streams.endOf(publicKey)
    if (id !== undefined) this.peer.run(this.refuseStream(id, publicKey, Cause.fail(error)))
  }

  private refuseStream(id: Call["id"], publicKey: string, cause: Cause.Cause<DomainError>): Effect.Effect<void> {
    const stream = { id, tag: "EventLog.Changes", isWanted: true }
    return this.answers.refuse(stream, cause, { requestTag: "Changes", publicKey })
  }

  private receive(message: ClientMessage): void {
    if (message._tag === "Ack" && this.streams.acknowledge(message.requestId)) return
    const isAdmitted = this.peer.inbound.admit(this.services.now())
    if (message._tag === "Request") return this.call(message, isAdmitted)
    if (!isAdmitted) return this.peer.close(1008, "Too many messages")
    switch (message._tag) {
      case "Ping":
        return this.outflow.send([this.services.wire.pong()])
      case "Interrupt":
        this.calls.interrupt(message.requestId)
        return this.streams.stop(message.requestId)
      case "Ack":
      case "Eof":
        return
      case "FromServer":
        return this.peer.close(1008, "A message that only a server may send")
    }
  }

  private call({ id, payload, tag }: RequestMessage, isAdmitted: boolean): void {
    if (this.calls.has(id) || this.streams.has(id)) return this.peer.close(1008, "An id that is in use")
    if (this.calls.size >= this.services.limits.maxInboundFrames) return this.peer.close(1008, "Too much is unanswered")
    const call: Call = { id, tag, payload, isAdmitted, isWanted: true }
    this.peer.inbound.hold(call.payload.byteLength)
    this.calls.add(call)
  }
}
