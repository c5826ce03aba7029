import { type Cause, type Effect, Exit } from "effect"
import type { ConversationServices, Peer } from "../../connection/conversation.ts"
import { refuseWith } from "../../connection/refusal.ts"
import type { WriteError, Written } from "../../ingest/ingest.ts"
import { type Correlation, type DomainError, toErrorFrame } from "../../wire/errors.ts"
import type { ProtocolRequestUnencrypted, WriteEntries } from "../../wire/messages.ts"
import type { Outbound } from "./outbound.ts"

/** A message that names the key which it is about. */
export type KeyedRequest = Extract<ProtocolRequestUnencrypted, { readonly publicKey: string }>

/** How the requests of one connection end, as its peer is told. */
export class Replies {
  private readonly services: Pick<ConversationServices, "onRejected">
  private readonly peer: Peer
  private readonly outbound: Outbound

  constructor(services: Pick<ConversationServices, "onRejected">, peer: Peer, outbound: Outbound) {
    this.services = services
    this.peer = peer
    this.outbound = outbound
  }

  /** Answers a write that was accepted. */
  acknowledge(message: typeof WriteEntries.Type, exit: Exit.Exit<Written, WriteError>): void {
    if (Exit.isFailure(exit)) return void this.peer.run(this.refuse(exit.cause, correlationOf(message)))
    if (this.peer.isEnded()) return
    this.outbound.send({ _tag: "Ack", id: message.id, sequenceNumbers: exit.value.sequenceNumbers })
  }

  /** Answers a request with an `Error`. */
  refuse(cause: Cause.Cause<DomainError>, correlation: Correlation): Effect.Effect<void> {
    return refuseWith(cause, (error) => this.sendError(error, correlation))
  }

  private sendError(error: DomainError, correlation: Correlation): void {
    if (this.peer.isEnded()) return
    const frame = toErrorFrame(error, correlation)
    this.services.onRejected(frame.code)
    this.outbound.send(frame)
  }
}

/** What an `Error` says of the request, so that a client which has several under way knows which one failed. */
export const correlationOf = (message: KeyedRequest): Correlation => ({
  requestTag: message._tag,
  publicKey: message.publicKey,
  ...("id" in message && message.id !== undefined ? { id: message.id } : {})
})
