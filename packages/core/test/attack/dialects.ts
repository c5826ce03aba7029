import { serialization } from "@eventlog-server/testkit/devices"
import { Effect, Result, Schema } from "effect"
import { type EventJournal, EventLogMessage } from "effect/eventlog"
import { Rpc, type RpcMessage } from "effect/rpc"
import type { ProtocolName } from "../../src/connection/protocol.ts"
import { ChunkJoiner } from "../../src/wire/chunks.ts"
import { decodeResponseUnencrypted, encodeRequestUnencrypted } from "../../src/wire/codec.ts"
import { defaultLimits } from "../../src/wire/limits.ts"
import type { ProtocolRequestUnencrypted } from "../../src/wire/messages.ts"

/** What a peer signs, and what it claims. */
export type Proof = Omit<Extract<ProtocolRequestUnencrypted, { readonly _tag: "Authenticate" }>, "_tag">

/** A part of a message. */
export interface Part {
  readonly id: number
  readonly part: readonly [number, number]
  readonly data: Uint8Array
}

/** What a server said, whichever protocol it said it in. `id` is that of the request. */
export type Heard =
  | { readonly is: "hello"; readonly remoteId: EventJournal.RemoteId; readonly challenge: Uint8Array }
  | { readonly is: "proved" }
  | { readonly is: "acked" | "refused"; readonly id: number }
  | { readonly is: "subscription"; readonly publicKey: string }
  | { readonly is: "read up"; readonly frame: Uint8Array }
  | { readonly is: "other" }

/** How a peer says things in a protocol, and understands what it is told. One for each connection. */
export interface Dialect {
  readonly hello: () => Uint8Array | undefined
  readonly authenticate: (proof: Proof) => Uint8Array
  /** The bytes of a write that may travel in parts. */
  readonly writeBytes: (id: number, publicKey: string, entries: ReadonlyArray<EventJournal.Entry>) => Uint8Array
  /** A frame with such bytes. */
  readonly write: (id: number, bytes: Uint8Array) => Uint8Array
  /** A frame with a part of such bytes; whatever answers the last one answers the write with that id. */
  readonly part: (id: number, part: Part) => Uint8Array
  readonly subscribe: (id: number, publicKey: string, startSequence: number) => Uint8Array
  /** Ends a subscription, or a call. */
  readonly stop: (id: number, publicKey: string) => Uint8Array
  readonly ping: () => Uint8Array
  /** Says that something was read, whether or not it was. */
  readonly acknowledge: (id: number) => Uint8Array
  /** What a frame says. `subscription` comes for whatever belongs to one. */
  readonly read: (frame: Uint8Array) => ReadonlyArray<Heard>
}

class EventLogDialect implements Dialect {
  readonly #joiner = new ChunkJoiner(defaultLimits)

  hello(): undefined {}

  authenticate(proof: Proof): Uint8Array {
    return encodeRequestUnencrypted({ _tag: "Authenticate", ...proof })
  }

  writeBytes(id: number, publicKey: string, entries: ReadonlyArray<EventJournal.Entry>): Uint8Array {
    return encodeRequestUnencrypted({ _tag: "WriteEntries", id, publicKey, entries })
  }

  write(_id: number, bytes: Uint8Array): Uint8Array {
    return bytes
  }

  part(_id: number, part: Part): Uint8Array {
    return encodeRequestUnencrypted({ _tag: "ChunkedMessage", ...part })
  }

  subscribe(id: number, publicKey: string, startSequence: number): Uint8Array {
    return encodeRequestUnencrypted({ _tag: "RequestChanges", id, publicKey, startSequence })
  }

  stop(_id: number, publicKey: string): Uint8Array {
    return encodeRequestUnencrypted({ _tag: "StopChanges", publicKey })
  }

  ping(): Uint8Array {
    return encodeRequestUnencrypted({ _tag: "Ping", id: 1 })
  }

  acknowledge(id: number): Uint8Array {
    return encodeRequestUnencrypted({ _tag: "Pong", id })
  }

  read(frame: Uint8Array): ReadonlyArray<Heard> {
    const message = Result.getOrThrow(decodeResponseUnencrypted(frame))
    switch (message._tag) {
      case "ChunkedMessage": {
        const joined = Result.getOrThrow(this.#joiner.add(message))
        return joined === undefined ? [] : this.read(joined)
      }
      case "Hello":
        return [{ is: "hello", remoteId: message.remoteId, challenge: message.challenge ?? new Uint8Array() }]
      case "Authenticated":
        return [{ is: "proved" }]
      case "Ack":
        return [{ is: "acked", id: message.id }]
      case "Ping":
        return [{ is: "read up", frame: this.acknowledge(message.id) }]
      case "Subscribed":
      case "Changes":
      case "CaughtUp":
        return [{ is: "subscription", publicKey: message.publicKey }]
      case "Error":
        return message.requestTag === "WriteEntries" && message.id !== undefined
          ? [{ is: "refused", id: message.id }]
          : [{ is: "other" }]
      default:
        return [{ is: "other" }]
    }
  }
}

const { AuthenticateRpc, ChangesRpc, HelloRpc, WriteChunkedRpc, WriteEntriesUnencrypted, WriteSingleRpc } =
  EventLogMessage

const codec = (schema: Schema.Top) => serialization.codecFor(schema as Schema.Codec<unknown>)
const exitOf = (rpc: unknown) => Schema.decodeUnknownSync(codec(Rpc.exitSchema(rpc as never)))
const exits = { hello: exitOf(HelloRpc), proof: exitOf(AuthenticateRpc), write: exitOf(WriteSingleRpc) }
const payloadOf = (rpc: { readonly payloadSchema: Schema.Top }) => Schema.encodeUnknownSync(codec(rpc.payloadSchema))
const payloads = {
  [HelloRpc._tag]: payloadOf(HelloRpc),
  [AuthenticateRpc._tag]: payloadOf(AuthenticateRpc),
  [WriteSingleRpc._tag]: payloadOf(WriteSingleRpc),
  [WriteChunkedRpc._tag]: payloadOf(WriteChunkedRpc),
  [ChangesRpc._tag]: payloadOf(ChangesRpc)
}
const storeId = EventLogMessage.StoreId.make("default")

/** What is needed to understand the answer to a call. */
type Asked = "hello" | "proof" | "write" | { readonly partOf: number } | { readonly publicKey: string }

class RpcDialect implements Dialect {
  readonly #parser = serialization.makeUnsafe()
  readonly #asked = new Map<number, Asked>()
  /** Writes that lack a part: when their last one is taken, that says nothing of the write. */
  readonly #incomplete = new Set<number>()
  #ownId = 1_000_000

  hello(): Uint8Array {
    return this.#call(this.#ownId++, HelloRpc._tag, undefined, "hello")
  }

  authenticate(proof: Proof): Uint8Array {
    return this.#call(this.#ownId++, AuthenticateRpc._tag, new EventLogMessage.Authenticate(proof as never), "proof")
  }

  writeBytes(_id: number, publicKey: string, entries: ReadonlyArray<EventJournal.Entry>): Uint8Array {
    return Effect.runSync(new WriteEntriesUnencrypted({ publicKey, storeId, entries }).encoded)
  }

  write(id: number, data: Uint8Array): Uint8Array {
    return this.#call(id, WriteSingleRpc._tag, { data }, "write")
  }

  part(id: number, part: Part): Uint8Array {
    const isLast = part.part[0] === part.part[1] - 1
    const payload = new EventLogMessage.ChunkedMessage(part as never)
    return this.#call(isLast ? id : this.#ownId++, WriteChunkedRpc._tag, payload, isLast ? "write" : { partOf: id })
  }

  subscribe(id: number, publicKey: string, startSequence: number): Uint8Array {
    return this.#call(id, ChangesRpc._tag, { publicKey, storeId, startSequence }, { publicKey })
  }

  stop(id: number): Uint8Array {
    return this.#encode({ _tag: "Interrupt", requestId: id as never })
  }

  ping(): Uint8Array {
    return this.#encode({ _tag: "Ping" })
  }

  acknowledge(id: number): Uint8Array {
    return this.#encode({ _tag: "Ack", requestId: id as never })
  }

  read(frame: Uint8Array): ReadonlyArray<Heard> {
    const messages = this.#parser.decode(Uint8Array.from(frame)) as ReadonlyArray<RpcMessage.FromServerEncoded>
    return messages.flatMap((message) => this.#understand(message))
  }

  #understand(message: RpcMessage.FromServerEncoded): ReadonlyArray<Heard> {
    if (message._tag !== "Chunk" && message._tag !== "Exit") return [{ is: "other" }]
    const id = Number(message.requestId)
    const asked = this.#asked.get(id)
    if (message._tag === "Exit") return [this.#answered(id, asked, message.exit)]
    const publicKey =
      typeof asked === "object" && "publicKey" in asked ? asked.publicKey : "a key that nobody asked for"
    return [
      { is: "subscription", publicKey },
      { is: "read up", frame: this.acknowledge(id) }
    ]
  }

  #answered(id: number, asked: Asked | undefined, encoded: unknown): Heard {
    if (asked === undefined || (typeof asked === "object" && "publicKey" in asked)) return { is: "other" }
    const exit = exits[typeof asked === "object" ? "write" : asked](encoded) as {
      readonly _tag: string
      readonly value?: EventLogMessage.HelloResponse
    }
    const isSuccess = exit._tag === "Success"
    if (typeof asked === "object") {
      if (!isSuccess) this.#incomplete.add(asked.partOf)
      return { is: "other" }
    }
    if (asked === "write" && this.#incomplete.has(id)) return { is: "other" }
    if (asked === "write") return { is: isSuccess ? "acked" : "refused", id }
    if (!isSuccess) return { is: "other" }
    return asked === "hello" ? { is: "hello", ...exit.value! } : { is: "proved" }
  }

  #call(id: number, tag: keyof typeof payloads, payload: unknown, asked: Asked): Uint8Array {
    this.#asked.set(id, asked)
    return this.#encode({
      _tag: "Request",
      id: id as never,
      tag,
      payload: payloads[tag]!(payload) as never,
      headers: []
    })
  }

  #encode(message: RpcMessage.FromClientEncoded): Uint8Array {
    return this.#parser.encode(message) as Uint8Array
  }
}

/** The dialect of a protocol, for one connection. */
export const dialectOf = (protocol: ProtocolName): Dialect =>
  protocol === "rpc" ? new RpcDialect() : new EventLogDialect()
