import type { ProtocolRequestUnencrypted, ProtocolResponseUnencrypted } from "@eventlog-server/core/protocol"
import type { EventJournal } from "effect/eventlog"
import { WebSocket } from "ws"
import type { Proof, SigningKey } from "../signing/index.ts"
import { Conversation, type Response } from "./Conversation.ts"

/** How a device behaves. */
export interface DeviceOptions {
  /** @default true */
  readonly answersPings?: boolean
}

/** A device that speaks the protocol by hand, so that a test can say exactly what it likes. */
export class Device {
  readonly socket: WebSocket
  closed: { readonly code: number; readonly reason: string } | undefined
  readonly #conversation = new Conversation((frame) => this.socket.send(frame))
  #failure = ""
  readonly #taken = new Set<ProtocolResponseUnencrypted>()

  constructor(url: string, headers: Record<string, string> = {}, { answersPings = true }: DeviceOptions = {}) {
    this.socket = new WebSocket(url.replace(/^http/, "ws"), ["eventlog.v1"], { perMessageDeflate: false, headers })
    this.socket.binaryType = "nodebuffer"
    this.socket.on("message", (data: Buffer) => {
      const message = this.#conversation.take(Uint8Array.from(data))
      if (message?._tag === "Ping" && answersPings) this.send({ _tag: "Pong", id: message.id })
      this.#conversation.notify()
    })
    this.socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() }
      this.#conversation.notify()
    })
    this.socket.on("error", ({ message }) => {
      this.#failure = message
    })
  }

  /** Connects and waits for `Hello`. */
  static async open(...options: ConstructorParameters<typeof Device>): Promise<Device> {
    const device = new Device(...options)
    await device.next("Hello")
    return device
  }

  /** Everything that the server said, in order. */
  get received(): Array<ProtocolResponseUnencrypted> {
    return this.#conversation.received
  }

  /** Waits until `look` finds something. Fails when the connection closes first. */
  until<A>(look: () => A | undefined): Promise<A> {
    return new Promise((resolve, reject) => {
      this.#conversation.watch(() => {
        const found = look()
        if (found !== undefined) resolve(found)
        else if (this.closed !== undefined) reject(this.#ending(this.closed))
        return found !== undefined || this.closed !== undefined
      })
    })
  }

  #ending({ code, reason }: { readonly code: number; readonly reason: string }): Error {
    return new Error(`closed with ${code} ${reason}${this.#failure}`)
  }

  /** The next message of a tag (that fits), each answered once. */
  async next<Tag extends ProtocolResponseUnencrypted["_tag"]>(
    tag: Tag,
    fits: (message: Response<Tag>) => boolean = () => true
  ): Promise<Response<Tag>> {
    const message = await this.until(() =>
      this.received.find(
        (message): message is Response<Tag> =>
          message._tag === tag && !this.#taken.has(message) && fits(message as Response<Tag>)
      )
    )
    this.#taken.add(message)
    return message
  }

  /** Waits until the connection is closed. */
  async untilClosed(): Promise<{ readonly code: number; readonly reason: string }> {
    if (this.closed === undefined) await new Promise((resolve) => this.socket.once("close", resolve))
    return this.closed!
  }

  send(message: ProtocolRequestUnencrypted): void {
    this.#conversation.send(message)
  }

  /** Signs the latest challenge. */
  proof(publicKey: string, key: SigningKey): Proof {
    return this.#conversation.proof(publicKey, key)
  }

  /** Proves a key and waits for the answer. */
  async prove(publicKey: string, key: SigningKey): Promise<Response<"Authenticated">> {
    this.send(this.proof(publicKey, key))
    return this.next("Authenticated", (message) => message.publicKey === publicKey)
  }

  get remoteId(): EventJournal.RemoteId {
    return this.#conversation.remoteId
  }

  /** Writes a batch and waits for its `Ack` or `Error`. */
  async write(
    publicKey: string,
    entries: ReadonlyArray<EventJournal.Entry>
  ): Promise<Response<"Ack"> | Response<"Error">> {
    const id = this.#conversation.takeId()
    this.send({ _tag: "WriteEntries", id, publicKey, entries })
    const answer = await this.until(() =>
      this.received.find(
        (message): message is Response<"Ack"> | Response<"Error"> =>
          (message._tag === "Ack" || message._tag === "Error") && message.id === id
      )
    )
    this.#taken.add(answer)
    return answer
  }

  /** Subscribes and waits for `Subscribed` or the `Error`. */
  async subscribe(
    publicKey: string,
    startSequence = 0,
    id = this.#conversation.takeId()
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
    const id = this.#conversation.takeId()
    this.send({ _tag: "Ping", id })
    await this.next("Pong", (message) => message.id === id)
  }

  async close(): Promise<void> {
    this.socket.close()
    await this.untilClosed()
  }
}
