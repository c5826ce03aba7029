import { Cause, Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import { closeOnOutflow, closeUngreeted } from "../../connection/closing.ts"
import type { Conversation, ConversationServices, Peer } from "../../connection/conversation.ts"
import { Proofs } from "../../connection/proofs.ts"
import { Requests } from "../../connection/requests.ts"
import { type ActiveSubscription, Subscriptions } from "../../connection/subscriptions.ts"
import type { PageEncoder } from "../../feed/page.ts"
import type { DomainError } from "../../wire/errors.ts"
import type { EncodedEntries } from "../../wire/remoteEntries.ts"
import { beginChanges, tagsOf } from "./changesSink.ts"
import { Dispatcher } from "./dispatcher.ts"
import { Handshake } from "./handshake.ts"
import { Outbound } from "./outbound.ts"
import { Replies } from "./replies.ts"

/** What the conversations of a server share. */
export interface EventLogServices extends ConversationServices {
  /** One function for the whole server: each page is encoded once for all connections. */
  readonly encodeEntries: PageEncoder<EncodedEntries>
}

/** What there is once the server is known. */
interface Greeted {
  readonly requests: Requests
  readonly handshake: Handshake
  readonly dispatcher: Dispatcher
}

/** Our own protocol on one connection: what the connection holds, from the greeting to its end. */
export class EventLogConversation implements Conversation {
  private readonly services: EventLogServices
  private readonly peer: Peer
  private readonly outbound: Outbound
  private readonly replies: Replies
  private readonly subscriptions: Subscriptions
  private greeted: Greeted | undefined

  constructor(services: EventLogServices, peer: Peer) {
    this.services = services
    this.peer = peer
    this.outbound = new Outbound(peer.transport, services.limits, closeOnOutflow(peer))
    this.replies = new Replies(services, peer, this.outbound)
    this.subscriptions = new Subscriptions({
      begin: (subscription, head) => beginChanges(this.outbound, services.encodeEntries, subscription, head),
      run: peer.run,
      onFailed: (cause, subscription) => this.refuseChanges(cause, subscription)
    })
  }

  get isIdle(): boolean {
    return (this.greeted?.requests.pendingWrites ?? 0) === 0 && this.outbound.isFlushed
  }

  /** A peer that is not trusted yet may have the bytes of one frame. */
  get maxInboundBytes(): number {
    const { limits, sessionAuth } = this.services
    const isTrusted = this.greeted?.handshake.isTrusted ?? sessionAuth === "off"
    return isTrusted ? limits.maxInboundBytes : limits.maxFrameBytes
  }

  get subscriptionCount(): number {
    return this.subscriptions.size
  }

  get greet(): Effect.Effect<void> {
    return Effect.suspend(() => this.services.remoteId).pipe(
      Effect.flatMap((remoteId) => this.begin(remoteId).hello),
      closeUngreeted(this.peer)
    )
  }

  handleFrame(frame: Uint8Array): Effect.Effect<void> {
    return this.greeted!.dispatcher.handleFrame(frame)
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

  uses(publicKey: string): boolean {
    return this.greeted?.handshake.hasProved(publicKey) === true || this.subscriptions.has(publicKey)
  }

  reads(storeId: string): boolean {
    return this.subscriptions.all().some((subscription) => subscription.storeId === storeId)
  }

  isOutdated(remoteId: EventJournal.RemoteId): boolean {
    return this.greeted?.handshake.remoteId.some((byte, index) => byte !== remoteId[index]) ?? false
  }

  reauthorize(only?: string | undefined): Effect.Effect<void> {
    const lost = {
      key: (publicKey: string, error: DomainError) => this.revoke(publicKey, error),
      subscription: (publicKey: string, error: DomainError) => this.endChanges(publicKey, error)
    }
    return this.greeted?.requests.reauthorize(lost, only) ?? Effect.void
  }

  accessChanged(publicKey: string): void {
    this.greeted?.requests.accessChanged(publicKey)
  }

  revoke(publicKey: string, error: DomainError): void {
    this.accessChanged(publicKey)
    this.greeted?.handshake.revoke(publicKey)
    this.endChanges(publicKey, error)
  }

  private begin(remoteId: EventJournal.RemoteId): Handshake {
    const { outbound, peer, replies, services, subscriptions } = this
    const { access, feed, ingest, limits, now, sessionAuth } = services
    const proofs = sessionAuth === "required" ? new Proofs(remoteId, access, limits) : undefined
    const requests = new Requests({ access, submit: ingest.submit, feed, limits, now, subscriptions, proofs })
    // One object for both, since every idle connection keeps it.
    const context = { services, peer, outbound, replies, subscriptions, requests, proofs, remoteId }
    const handshake = new Handshake(context)
    this.greeted = { requests, handshake, dispatcher: new Dispatcher(context, handshake) }
    return handshake
  }

  private endChanges(publicKey: string, error: DomainError): void {
    const active = this.subscriptions.get(publicKey)
    if (active === undefined) return
    this.subscriptions.stop(publicKey)
    this.refuseChanges(Cause.fail(error), active)
  }

  private refuseChanges(cause: Cause.Cause<DomainError>, subscription: ActiveSubscription): void {
    this.peer.run(this.replies.refuse(cause, { requestTag: "RequestChanges", ...tagsOf(subscription) }))
  }
}
