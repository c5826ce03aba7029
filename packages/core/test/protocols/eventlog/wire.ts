import { Effect, Result } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { Transport, TransportListener } from "../../../src/connection/Transport.ts"
import type { Mountable } from "../../../src/server/mountable.ts"
import { ChunkJoiner, splitMessage } from "../../../src/wire/chunks.ts"
import { decodeResponseUnencrypted, encodeRequestUnencrypted } from "../../../src/wire/codec.ts"
import { defaultLimits } from "../../../src/wire/limits.ts"
import type { ProtocolRequestUnencrypted, ProtocolResponseUnencrypted } from "../../../src/wire/messages.ts"
import { type SigningKey, signProof } from "../../server/device.ts"

type Response<Tag extends ProtocolResponseUnencrypted["_tag"]> = Extract<
  ProtocolResponseUnencrypted,
  { readonly _tag: Tag }
>

export interface WireOptions {
  /** Bytes that wait for the network, as the test sets them. Without it the wire can't tell, and the session paces itself. */
  readonly bufferedBytes?: () => number
  readonly principal?: unknown
  readonly remoteAddress?: string
  /** A peer that never answers a close: its socket is there until it is ended. */
  readonly isMute?: boolean
}

/** A connection without a network: what the server sends is there at once, and nothing else happens by itself. */
export class Wire implements Transport {
  readonly received: Array<ProtocolResponseUnencrypted> = []
  readonly bufferedBytes?: () => number
  /** How often it was closed; more than once is a defect of the server. */
  readonly closes: Array<{ readonly code: number; readonly reason: string }> = []
  /** Frames that came after the close. */
  late = 0
  /** Whether the server ended the socket. */
  isTerminated = false
  private readonly isMute: boolean
  private readonly joiner = new ChunkJoiner(defaultLimits)
  private readonly watchers = new Set<() => void>()
  private readonly listener: TransportListener
  private nextId = 1

  constructor(server: Pick<Mountable, "connect">, options: WireOptions) {
    if (options.bufferedBytes !== undefined) this.bufferedBytes = options.bufferedBytes
    this.isMute = options.isMute === true
    const { principal, remoteAddress } = options
    this.listener = server.connect(this, { remoteAddress, headers: {}, principal })
  }

  readonly send = (frame: Uint8Array): void => {
    if (this.closes.length > 0) this.late++
    this.take(frame)
    for (const watcher of [...this.watchers]) watcher()
  }

  readonly close = (code: number, reason: string): void => {
    this.closes.push({ code, reason })
    // As a socket does whose peer answers the close.
    if (!this.isMute) queueMicrotask(() => this.listener.closed())
    for (const watcher of [...this.watchers]) watcher()
  }

  readonly terminate = (): void => {
    this.isTerminated = true
    this.listener.closed()
  }

  private take(bytes: Uint8Array): void {
    const message = Result.getOrThrow(decodeResponseUnencrypted(bytes))
    if (message._tag !== "ChunkedMessage") return void this.received.push(message)
    const joined = Result.getOrThrow(this.joiner.add(message))
    if (joined !== undefined) this.take(joined)
  }

  /** The peer is gone. */
  cut(): void {
    this.listener.closed()
  }

  /** A frame as it comes from the network. */
  frame(frame: Uint8Array | string): void {
    this.listener.receive(frame)
  }

  request(message: ProtocolRequestUnencrypted): void {
    for (const frame of splitMessage(encodeRequestUnencrypted(message), this.nextId++)) this.frame(frame)
  }

  /** A write as it comes from the network. */
  encoded(entries: ReadonlyArray<EventJournal.Entry>, publicKey = "A"): Uint8Array {
    return encodeRequestUnencrypted({ _tag: "WriteEntries", id: this.nextId++, publicKey, entries })
  }

  write(entries: ReadonlyArray<EventJournal.Entry>, publicKey = "A"): number {
    const id = this.nextId++
    this.request({ _tag: "WriteEntries", id, publicKey, entries })
    return id
  }

  subscribe(startSequence = 0, publicKey = "A"): number {
    const id = this.nextId++
    this.request({ _tag: "RequestChanges", id, publicKey, startSequence })
    return id
  }

  /** Waits until `look` finds something. */
  until<A>(look: () => A | undefined): Effect.Effect<A> {
    return Effect.callback<A>((resume) => {
      const watcher = () => {
        const found = look()
        if (found === undefined) return
        this.watchers.delete(watcher)
        resume(Effect.succeed(found))
      }
      this.watchers.add(watcher)
      watcher()
      return Effect.sync(() => this.watchers.delete(watcher))
    })
  }

  all<Tag extends ProtocolResponseUnencrypted["_tag"]>(tag: Tag): ReadonlyArray<Response<Tag>> {
    return this.received.filter((message): message is Response<Tag> => message._tag === tag)
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
      const id = this.nextId++
      this.request({ _tag: "Ping", id })
      return Effect.asVoid(this.until(() => this.all("Pong").find((pong) => pong.id === id)))
    })
  }

  /** The sequences that were delivered, in order. */
  get sequences(): ReadonlyArray<number> {
    return this.all("Changes").flatMap(({ entries }) => entries.map(({ remoteSequence }) => remoteSequence))
  }

  /** An answer to the latest challenge. */
  proof(publicKey: string, key: SigningKey) {
    return Effect.promise(() => {
      const latest = this.received.findLast((message) => message._tag === "Hello" || message._tag === "Authenticated")
      const challenge = (latest as Response<"Authenticated">).challenge
      return signProof({ remoteId: this.all("Hello")[0]!.remoteId, challenge, publicKey, key })
    })
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
