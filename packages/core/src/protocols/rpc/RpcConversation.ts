import { Cause, Effect } from "effect"
import type { Conversation, Frame, Peer, ProtocolServices } from "../../connection/protocol.ts"
import type { ActiveSubscription } from "../../connection/Subscriptions.ts"
import type { PageEncoder } from "../../feed/page.ts"
import type { Sink } from "../../feed/sink.ts"
import { type DomainError, RequestError } from "../../wire/errors.ts"
import { Answers } from "./Answers.ts"
import { type Call, Calls } from "./Calls.ts"
import type { ClientMessage, RequestMessage } from "./envelope.ts"
import { Handlers } from "./Handlers.ts"
import { Streams } from "./Streams.ts"
import type { Wire } from "./wire.ts"

/** What the conversations of a server share. The limits are those of this protocol. */
export interface RpcServices extends ProtocolServices {
  readonly wire: Wire
  /** One function for the whole server: each page is encoded once for all connections. */
  readonly encodePage: PageEncoder<ReadonlyArray<Uint8Array>>
}

/** The RPC of effect's own event log client, on one connection. */
export class RpcConversation implements Conversation {
  readonly #services: RpcServices
  readonly #peer: Peer
  readonly #answers: Answers
  readonly #calls: Calls
  readonly #streams: Streams

  constructor(services: RpcServices, peer: Peer) {
    const answers = new Answers({ ...services, peer })
    const calls: Calls = new Calls((call) => handlers.perform(call), peer.run)
    const handlers: Handlers = new Handlers({ ...services, answers, calls, peer })
    this.#services = services
    this.#peer = peer
    this.#answers = answers
    this.#calls = calls
    this.#streams = new Streams({
      ...services,
      peer,
      onReplaced: (id, publicKey) => this.#refuseStream(id, publicKey, Cause.fail(replaced()))
    })
  }

  /** Nothing goes out: a stock client speaks first. */
  get start(): Effect.Effect<void> {
    return Effect.void
  }

  /** Nothing of it waits: calls go on by themselves. */
  receive({ bytes, holding }: Frame): Effect.Effect<void> {
    const messages = this.#services.wire.read(bytes)
    holding.release()
    if (messages === undefined) this.#peer.close(1007, "Not a message of effect's RPC")
    else this.#takeAll(messages)
    return Effect.void
  }

  /** A stock client pings by itself, and can't be asked to; that it acknowledges what it reads shows how far it is. */
  ask(): void {}

  begin({ id, publicKey }: ActiveSubscription): Sink {
    return this.#streams.begin(id!, publicKey)
  }

  refuse({ id, publicKey }: ActiveSubscription, cause: Cause.Cause<DomainError>): void {
    this.#streams.end(id!)
    this.#refuseStream(id!, publicKey, cause)
  }

  #refuseStream(id: Call["id"], publicKey: string, cause: Cause.Cause<DomainError>): void {
    const stream = { id, tag: "EventLog.Changes", isWanted: true }
    this.#peer.run(this.#answers.refuse(stream, cause, { requestTag: "Changes", publicKey }))
  }

  #takeAll(messages: ReadonlyArray<ClientMessage>): void {
    // A frame paid for one of them.
    this.#peer.account.charge(messages.length - 1)
    for (const message of messages) {
      if (!this.#peer.isEnded) this.#take(message)
    }
  }

  #take(message: ClientMessage): void {
    switch (message._tag) {
      case "Request":
        return this.#call(message)
      case "Ping":
        return this.#peer.outflow.send([this.#services.wire.pong])
      case "Interrupt":
        return this.#interrupt(message.requestId)
      case "Ack":
        return void this.#streams.acknowledge(message.requestId)
      case "Eof":
        return
      case "FromServer":
        return this.#peer.close(1008, "A message that only a server may send")
    }
  }

  #interrupt(id: Call["id"]): void {
    this.#calls.interrupt(id)
    const publicKey = this.#streams.end(id)
    if (publicKey !== undefined) this.#peer.subscriptions.stop(publicKey, id)
  }

  #call({ id, payload, tag }: RequestMessage): void {
    if (this.#calls.has(id) || this.#streams.has(id)) return this.#peer.close(1008, "An id that is in use")
    const { account } = this.#peer
    this.#calls.add({ id, tag, payload, holding: account.hold(payload.byteLength), isWanted: true })
    if (account.isOverdrawn(false)) this.#peer.close(1008, "Too much is unanswered")
  }
}

const replaced = () => new RequestError({ reason: "Unavailable", message: "Another stream of this key took its place" })
