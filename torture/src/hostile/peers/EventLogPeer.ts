import {
  decodeResponseUnencrypted,
  encodeRequestUnencrypted,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted,
  splitMessage,
  subprotocol
} from "@eventlog-server/core/protocol"
import { Result } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { Device } from "./device.ts"
import { PeerSocket, type SocketOptions } from "./PeerSocket.ts"
import { proveKey } from "./proveKey.ts"

type Hello = Extract<ProtocolResponseUnencrypted, { readonly _tag: "Hello" }>
type Refusal = Extract<ProtocolResponseUnencrypted, { readonly _tag: "Error" }>
type Settle = (error?: Error) => void

/** A peer that speaks eventlog.v1 by hand, so that it can say exactly what it likes. */
export class EventLogPeer implements Device {
  readonly socket: PeerSocket
  /** Rejects when the connection ends before it comes. */
  readonly hello: Promise<Hello>
  /** How many came. */
  hellos = 0
  readonly #hello = Promise.withResolvers<Hello>()
  readonly #proofs = new Map<string, Settle>()
  readonly #writes = new Map<number, Settle>()
  readonly #subscriptions = new Map<string, Settle>()
  #onEntries: (ids: ReadonlyArray<EventJournal.EntryId>) => void = () => {}
  #nextId = 1

  /** @param url where the server is mounted */
  constructor(url: string, options: SocketOptions = {}) {
    this.socket = new PeerSocket(url, { protocols: [subprotocol], ...options, onMessage: (frame) => this.#take(frame) })
    this.hello = this.#hello.promise
    this.hello.catch(() => {})
    void this.socket.closed.then(({ code, reason }) => this.#end(new Error(`closed with ${code} ${reason}`)))
  }

  send(message: ProtocolRequestUnencrypted): void {
    for (const frame of splitMessage(encodeRequestUnencrypted(message), this.#nextId++)) this.socket.send(frame)
  }

  async prove(publicKey: string): Promise<void> {
    const { challenge, remoteId } = await this.hello
    if (challenge === undefined) return
    const proved = new Promise<void>((resolve, reject) =>
      this.#proofs.set(publicKey, (error) => (error === undefined ? resolve() : reject(error)))
    )
    this.send(proveKey({ challenge, remoteId, publicKey }))
    await proved
  }

  write(publicKey: string, entries: ReadonlyArray<EventJournal.Entry>): Promise<void> {
    const id = this.#nextId++
    const written = this.replyTo(id)
    this.send({ _tag: "WriteEntries", id, publicKey, entries })
    return written
  }

  /** Resolves when the write with an id is acked; rejects when it is refused, or the connection ends. */
  replyTo(id: number): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#writes.set(id, (error) => (error === undefined ? resolve() : reject(error)))
    )
  }

  subscribe(publicKey: string, onEntries: (ids: ReadonlyArray<EventJournal.EntryId>) => void): Promise<void> {
    this.#onEntries = onEntries
    const over = new Promise<void>((resolve) => this.#subscriptions.set(publicKey, () => resolve()))
    this.send({ _tag: "RequestChanges", publicKey, startSequence: 1 })
    return over
  }

  #take(frame: Buffer): void {
    const message = Result.getOrUndefined(decodeResponseUnencrypted(frame))
    switch (message?._tag) {
      case "Hello":
        this.hellos++
        return this.#hello.resolve(message)
      case "Authenticated":
        return this.#settle(this.#proofs, message.publicKey)
      case "Ack":
        return this.#settle(this.#writes, message.id)
      case "Changes":
        return this.#onEntries(message.entries.map(({ entry }) => entry.id))
      case "Ping":
        return this.send({ _tag: "Pong", id: message.id })
      case "Error":
        return this.#refused(message)
    }
  }

  #refused({ code, id, message, publicKey = "", reason, requestTag }: Refusal): void {
    const error = new Error(`${code} ${reason}: ${message}`)
    if (requestTag === "Authenticate") this.#settle(this.#proofs, publicKey, error)
    else if (requestTag === "RequestChanges") this.#settle(this.#subscriptions, publicKey, error)
    else this.#settle(this.#writes, id ?? 0, error)
  }

  #settle<Key>(waiting: Map<Key, Settle>, key: Key, error?: Error): void {
    const settle = waiting.get(key)
    waiting.delete(key)
    settle?.(error)
  }

  #end(error: Error): void {
    this.#hello.reject(error)
    for (const key of this.#proofs.keys()) this.#settle(this.#proofs, key, error)
    for (const key of this.#subscriptions.keys()) this.#settle(this.#subscriptions, key, error)
    for (const id of this.#writes.keys()) this.#settle(this.#writes, id, error)
  }
}
