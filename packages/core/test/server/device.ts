import { generateKeyPairSync, sign } from "node:crypto"
import { Effect, Result } from "effect"
import { type EventJournal, EventLogSessionAuth } from "effect/eventlog"
import { WebSocket } from "ws"
import { ChunkJoiner, splitMessage } from "../../src/wire/chunks.ts"
import { decodeResponseUnencrypted, encodeRequestUnencrypted } from "../../src/wire/codec.ts"
import { defaultLimits } from "../../src/wire/limits.ts"
import type { ProtocolRequestUnencrypted, ProtocolResponseUnencrypted } from "../../src/wire/messages.ts"

type Response<Tag extends ProtocolResponseUnencrypted["_tag"]> = Extract<
  ProtocolResponseUnencrypted,
  { readonly _tag: Tag }
>

/** An Ed25519 key pair. */
export const makeSigningKey = () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519")
  const raw = publicKey.export({ type: "spki", format: "der" }).subarray(-32)
  return {
    signingPublicKey: Uint8Array.from(raw),
    sign: (payload: Uint8Array) => Uint8Array.from(sign(null, payload, privateKey))
  }
}
export type SigningKey = ReturnType<typeof makeSigningKey>

/** An answer to a challenge. */
export const signProof = async ({
  key,
  ...claim
}: {
  readonly remoteId: EventJournal.RemoteId
  readonly challenge: Uint8Array
  readonly publicKey: string
  readonly key: SigningKey
}): Promise<Extract<ProtocolRequestUnencrypted, { readonly _tag: "Authenticate" }>> => {
  const { signingPublicKey } = key
  const payload = await Effect.runPromise(EventLogSessionAuth.encodeSessionAuthPayload({ ...claim, signingPublicKey }))
  return {
    _tag: "Authenticate",
    publicKey: claim.publicKey,
    signingPublicKey,
    signature: key.sign(payload),
    algorithm: "Ed25519"
  }
}

/** A device that speaks the protocol by hand, so that a test can say exactly what it likes. */
export class Device {
  readonly received: Array<ProtocolResponseUnencrypted> = []
  readonly socket: WebSocket
  closed: { readonly code: number; readonly reason: string } | undefined
  private readonly joiner = new ChunkJoiner(defaultLimits)
  private readonly watchers = new Set<() => void>()
  private taken = new Set<ProtocolResponseUnencrypted>()
  private nextId = 1

  private readonly answersPings: boolean

  constructor(url: string, headers: Record<string, string> = {}, { answersPings = true } = {}) {
    this.answersPings = answersPings
    this.socket = new WebSocket(url, ["eventlog.v1"], { perMessageDeflate: false, headers })
    this.socket.binaryType = "nodebuffer"
    this.socket.on("message", (data: Buffer) => this.receive(Uint8Array.from(data)))
    this.socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() }
      this.notify()
    })
    this.socket.on("error", () => {})
  }

  /** Connects and waits for `Hello`. */
  static async open(...options: ConstructorParameters<typeof Device>): Promise<Device> {
    const device = new Device(...options)
    await device.next("Hello")
    return device
  }

  private receive(bytes: Uint8Array): void {
    const message = Result.getOrThrow(decodeResponseUnencrypted(bytes))
    if (message._tag === "ChunkedMessage") {
      const joined = Result.getOrThrow(this.joiner.add(message))
      if (joined !== undefined) this.receive(joined)
      return
    }
    if (message._tag === "Ping" && this.answersPings) this.send({ _tag: "Pong", id: message.id })
    this.received.push(message)
    this.notify()
  }

  private notify(): void {
    for (const watcher of [...this.watchers]) watcher()
  }

  /** Waits until `look` finds something. Fails when the connection closes first. */
  until<A>(look: () => A | undefined): Promise<A> {
    return new Promise((resolve, reject) => {
      const watcher = () => {
        const found = look()
        if (found !== undefined) {
          this.watchers.delete(watcher)
          resolve(found)
        } else if (this.closed !== undefined) {
          this.watchers.delete(watcher)
          reject(new Error(`closed with ${this.closed.code} ${this.closed.reason}`))
        }
      }
      this.watchers.add(watcher)
      watcher()
    })
  }

  /** The next message of a tag (that fits), each answered once. */
  async next<Tag extends ProtocolResponseUnencrypted["_tag"]>(
    tag: Tag,
    fits: (message: Response<Tag>) => boolean = () => true
  ): Promise<Response<Tag>> {
    const message = await this.until(() =>
      this.received.find(
        (message): message is Response<Tag> =>
          message._tag === tag && !this.taken.has(message) && fits(message as Response<Tag>)
      )
    )
    this.taken.add(message)
    return message
  }

  /** Waits until the connection is closed. */
  async untilClosed(): Promise<{ readonly code: number; readonly reason: string }> {
    if (this.closed === undefined) await new Promise((resolve) => this.socket.once("close", resolve))
    return this.closed!
  }

  send(message: ProtocolRequestUnencrypted): void {
    for (const frame of splitMessage(encodeRequestUnencrypted(message), this.nextId++)) this.socket.send(frame)
  }

  /** Signs the latest challenge. */
  proof(publicKey: string, key: SigningKey): Promise<ProtocolRequestUnencrypted> {
    return signProof({ remoteId: this.remoteId, challenge: this.challenge!, publicKey, key })
  }

  /** Proves a key and waits for the answer. */
  async prove(publicKey: string, key: SigningKey): Promise<Response<"Authenticated">> {
    this.send(await this.proof(publicKey, key))
    return this.next("Authenticated", (message) => message.publicKey === publicKey)
  }

  get remoteId(): EventJournal.RemoteId {
    return (this.received.find((message) => message._tag === "Hello") as Response<"Hello">).remoteId
  }

  private get challenge(): Uint8Array | undefined {
    const last = this.received.findLast((message) => message._tag === "Hello" || message._tag === "Authenticated")
    return (last as Response<"Authenticated"> | undefined)?.challenge
  }

  /** Writes a batch and waits for its `Ack` or `Error`. */
  async write(
    publicKey: string,
    entries: ReadonlyArray<EventJournal.Entry>
  ): Promise<Response<"Ack"> | Response<"Error">> {
    const id = this.nextId++
    this.send({ _tag: "WriteEntries", id, publicKey, entries })
    const answer = await this.until(() =>
      this.received.find(
        (message): message is Response<"Ack"> | Response<"Error"> =>
          (message._tag === "Ack" || message._tag === "Error") && message.id === id
      )
    )
    this.taken.add(answer)
    return answer
  }

  /** Subscribes and waits for `Subscribed` or the `Error`. */
  async subscribe(
    publicKey: string,
    startSequence = 0,
    id = this.nextId++
  ): Promise<Response<"Subscribed"> | Response<"Error">> {
    this.send({ _tag: "RequestChanges", publicKey, startSequence, id })
    return this.until(() =>
      this.received.find(
        (message): message is Response<"Subscribed"> | Response<"Error"> =>
          (message._tag === "Subscribed" || message._tag === "Error") && message.id === id
      )
    )
  }

  /** Everything that subscriptions of a key delivered, in order. */
  delivered(publicKey: string): ReadonlyArray<EventJournal.RemoteEntry> {
    return this.received.flatMap((message) =>
      message._tag === "Changes" && message.publicKey === publicKey ? message.entries : []
    )
  }

  /** Waits until so many entries were delivered. */
  untilDelivered(publicKey: string, count: number): Promise<ReadonlyArray<EventJournal.RemoteEntry>> {
    return this.until(() => {
      const delivered = this.delivered(publicKey)
      return delivered.length >= count ? delivered : undefined
    })
  }

  /** Waits until the server answered everything sent before. */
  async settled(): Promise<void> {
    const id = this.nextId++
    this.send({ _tag: "Ping", id })
    await this.next("Pong", (message) => message.id === id)
  }

  async close(): Promise<void> {
    this.socket.close()
    await this.untilClosed()
  }
}
