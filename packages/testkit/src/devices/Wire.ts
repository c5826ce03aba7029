import type { Mountable, Transport, TransportListener } from "@eventlog-server/core/adapter"
import {
  encodeRequestUnencrypted,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted
} from "@eventlog-server/core/protocol"
import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { Proof, SigningKey } from "../signing/index.ts"
import { Conversation, type Response } from "./Conversation.ts"

/** What a device without a network has between itself and the server. */
export interface WireOptions {
  /** Bytes that wait for the network, as the test sets them. Without it the wire can't tell, and the session paces itself. */
  readonly bufferedBytes?: () => number
  readonly principal?: unknown
  readonly remoteAddress?: string
  /** A peer that never answers a close: its socket is there until it is ended. */
  readonly isMute?: boolean
}

/** A device without a network: what the server sends is there at once, and nothing else happens by itself. */
export class Wire implements Transport {
  readonly bufferedBytes?: () => number
  /** How often it was closed; more than once is a defect of the server. */
  readonly closes: Array<{ readonly code: number; readonly reason: string }> = []
  /** Frames that came after the close. */
  late = 0
  /** Whether the server ended the socket. */
  isTerminated = false
  readonly #isMute: boolean
  readonly #conversation = new Conversation((frame) => this.frame(frame))
  readonly #listener: TransportListener

  constructor(server: Pick<Mountable, "connect">, options: WireOptions) {
    if (options.bufferedBytes !== undefined) this.bufferedBytes = options.bufferedBytes
    this.#isMute = options.isMute === true
    const { principal, remoteAddress } = options
    this.#listener = server.connect(this, { remoteAddress, headers: {}, principal })
  }

  readonly send = (frame: Uint8Array): void => {
    if (this.closes.length > 0) this.late++
    this.#conversation.take(frame)
    this.#conversation.notify()
  }

  readonly close = (code: number, reason: string): void => {
    this.closes.push({ code, reason })
    // As a socket does whose peer answers the close.
    if (!this.#isMute) queueMicrotask(() => this.#listener.closed())
    this.#conversation.notify()
  }

  readonly terminate = (): void => {
    this.isTerminated = true
    this.#listener.closed()
  }

  /** Everything that the server said, in order. */
  get received(): ReadonlyArray<ProtocolResponseUnencrypted> {
    return this.#conversation.received
  }

  /** The peer is gone. */
  cut(): void {
    this.#listener.closed()
  }

  /** A frame as it comes from the network. */
  frame(frame: Uint8Array | string): void {
    this.#listener.receive(frame)
  }

  request(message: ProtocolRequestUnencrypted): void {
    this.#conversation.send(message)
  }

  /** A write as it comes from the network. */
  encoded(entries: ReadonlyArray<EventJournal.Entry>, publicKey = "A"): Uint8Array {
    return encodeRequestUnencrypted({ _tag: "WriteEntries", id: this.#conversation.takeId(), publicKey, entries })
  }

  write(entries: ReadonlyArray<EventJournal.Entry>, publicKey = "A"): number {
    const id = this.#conversation.takeId()
    this.request({ _tag: "WriteEntries", id, publicKey, entries })
    return id
  }

  subscribe(startSequence = 0, publicKey = "A"): number {
    const id = this.#conversation.takeId()
    this.request({ _tag: "RequestChanges", id, publicKey, startSequence })
    return id
  }

  /** Waits until `look` finds something. */
  until<A>(look: () => A | undefined): Effect.Effect<A> {
    return Effect.callback<A>((resume) => {
      const end = this.#conversation.watch(() => {
        const found = look()
        if (found !== undefined) resume(Effect.succeed(found))
        return found !== undefined
      })
      return Effect.sync(end)
    })
  }

  all<Tag extends ProtocolResponseUnencrypted["_tag"]>(tag: Tag): ReadonlyArray<Response<Tag>> {
    return this.#conversation.all(tag)
  }

  /** The message of a tag that is the `count`th of its kind. */
  nth<Tag extends ProtocolResponseUnencrypted["_tag"]>(tag: Tag, count = 1): Effect.Effect<Response<Tag>> {
    return this.until(() => this.all(tag)[count - 1])
  }

  /** The answer to a request with an id. */
  answer(id: number): Effect.Effect<ProtocolResponseUnencrypted> {
    return this.until(() =>
      this.received.find((message) => message._tag !== "Pong" && "id" in message && message.id === id)
    )
  }

  /** Waits until the server handled everything before. */
  get settled(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const id = this.#conversation.takeId()
      this.request({ _tag: "Ping", id })
      return Effect.asVoid(this.until(() => this.all("Pong").find((pong) => pong.id === id)))
    })
  }

  /** The sequences that were delivered, in order. */
  get sequences(): ReadonlyArray<number> {
    return this.all("Changes").flatMap(({ entries }) => entries.map(({ remoteSequence }) => remoteSequence))
  }

  /** The latest challenge, signed. */
  proof(publicKey: string, key: SigningKey): Effect.Effect<Proof> {
    return Effect.sync(() => this.#conversation.proof(publicKey, key))
  }

  /** Proves a key and waits for the answer. */
  prove(publicKey: string, key: SigningKey) {
    return Effect.gen({ self: this }, function* () {
      const { length } = this.received
      this.request(yield* this.proof(publicKey, key))
      return yield* this.until(() =>
        this.received.slice(length).find((message) => message._tag === "Authenticated" || message._tag === "Error")
      )
    })
  }
}
