import { type Cause, type Effect, Exit } from "effect"
import type { Peer, ProtocolServices } from "../../connection/protocol.ts"
import { refuseWith } from "../../connection/refusal.ts"
import type { ChunkError } from "../../wire/chunks.ts"
import type { DomainError } from "../../wire/errors.ts"
import type { Call } from "./Calls.ts"
import { type Refused, toProtocolError } from "./errors.ts"
import { type Answer, isRpcTag, type Wire } from "./wire.ts"

/** Why a call is not granted. */
export type Failure = DomainError | ChunkError

/** What answers need of their connection. */
export interface AnswersContext extends Pick<ProtocolServices, "onRejected"> {
  readonly wire: Wire
  readonly peer: Peer
}

/** The answers to the calls of one connection. */
export class Answers {
  private readonly context: AnswersContext

  constructor(context: AnswersContext) {
    this.context = context
  }

  /** Answers a call, or ends its stream. */
  send({ id, isWanted, tag }: Pick<Call, "id" | "isWanted" | "tag">, answer: Answer): void {
    const { peer, wire } = this.context
    if (!isWanted || peer.isEnded) return
    peer.outflow.send([isRpcTag(tag) ? wire.exit(tag, id, answer) : wire.unknown(id, answer)])
  }

  /** Tells a client that what it wrote is durable, or that a part of it arrived. */
  sendWritten({ id, isWanted }: Pick<Call, "id" | "isWanted">): void {
    const { peer, wire } = this.context
    if (isWanted && !peer.isEnded) peer.outflow.send([wire.written(id)])
  }

  /** Tells a client why its call failed. */
  refuse(
    call: Pick<Call, "id" | "isWanted" | "tag">,
    cause: Cause.Cause<Failure>,
    request: Refused
  ): Effect.Effect<void> {
    const { onRejected, peer } = this.context
    return refuseWith(cause, (failure) => {
      if (peer.isEnded) return
      if (failure._tag === "ChunkError") return peer.close(failure.closeCode, failure.message)
      const { code, error } = toProtocolError(failure, request)
      onRejected(code, failure, request.publicKey)
      this.send(call, Exit.fail(error))
    })
  }
}
