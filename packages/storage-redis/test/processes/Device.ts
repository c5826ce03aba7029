import {
  decodeResponseUnencrypted,
  encodeRequestUnencrypted,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted
} from "@eventlog-server/core/protocol"
import { Result } from "effect"
import type { EventJournal } from "effect/eventlog"
import { WebSocket } from "ws"

type Entries = ReadonlyArray<EventJournal.Entry>

interface Write {
  readonly id: number
  readonly entries: Entries
  readonly acked: (sequences: ReadonlyArray<number>) => void
}

/** Entries of one write, at most. */
const maxEntries = 500

/** In milliseconds: before something is tried again. */
const retryDelay = 20

/**
 * A device that never gives up: it connects again, to one server after the other, goes on reading where it stood, and
 * sends again what was not acknowledged. A server with another id than before it reads from the start, and sends it all
 * that it ever wrote.
 */
export class Device {
  /** The ids received, in order: the first has sequence 1. */
  received: Array<string> = []
  /** The sequence that each entry was acknowledged with last. */
  readonly acked = new Map<string, number>()
  /** What no server may ever do. */
  readonly faults: Array<string> = []
  /** The ids that servers had, one after the other. */
  readonly remoteIds: Array<string> = []
  readonly #publicKey: string
  readonly #urls: ReadonlyArray<string>
  readonly #written: Array<EventJournal.Entry> = []
  readonly #unacked = new Map<number, Write>()
  readonly #waiting = new Set<() => void>()
  #socket: WebSocket | undefined
  #attempts: number
  #lastId = 0
  #closed = false

  /** @param urls servers, of which it begins with number `first` */
  constructor(publicKey: string, urls: ReadonlyArray<string>, first = 0) {
    this.#publicKey = publicKey
    this.#urls = urls.map((url) => `${url.replace(/^http/, "ws")}/eventlog`)
    this.#attempts = first
    this.#connect()
  }

  /** Whether everything that it sent is acknowledged. */
  get isAcked(): boolean {
    return this.#unacked.size === 0
  }

  /** Writes entries, and waits until they are acknowledged. */
  async write(entries: Entries): Promise<void> {
    this.#written.push(...entries)
    await this.#writeOnce(entries)
  }

  async #writeOnce(entries: Entries): Promise<void> {
    const sequences = await new Promise<ReadonlyArray<number>>((acked) => {
      const write = { id: ++this.#lastId, entries, acked }
      this.#unacked.set(write.id, write)
      this.#sendWrite(write)
    })
    for (const [index, { idString }] of entries.entries()) this.acked.set(idString, sequences[index]!)
  }

  /** Waits until something holds that only what it receives can change. */
  async until(holds: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = () => {
        if (!holds() && this.faults.length === 0) return
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
      check()
    })
  }

  /** Ends its connection, and makes another. */
  reconnect(): void {
    this.#socket?.terminate()
  }

  close(): void {
    this.#closed = true
    this.#socket?.terminate()
  }

  #connect(): void {
    if (this.#closed) return
    const socket = new WebSocket(this.#urls[this.#attempts++ % this.#urls.length]!, "eventlog.v1")
    socket.binaryType = "nodebuffer"
    socket.on("message", (frame: Buffer) => this.#receive(Result.getOrThrow(decodeResponseUnencrypted(frame))))
    socket.on("error", () => {})
    socket.on("close", () => setTimeout(() => this.#connect(), retryDelay))
    this.#socket = socket
  }

  #send(message: ProtocolRequestUnencrypted): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeRequestUnencrypted(message))
  }

  #sendWrite({ entries, id }: Write): void {
    this.#send({ _tag: "WriteEntries", id, publicKey: this.#publicKey, entries })
  }

  #subscribe(): void {
    this.#send({ _tag: "RequestChanges", publicKey: this.#publicKey, startSequence: this.received.length + 1 })
  }

  #receive(message: ProtocolResponseUnencrypted): void {
    if (message._tag === "Hello") this.#greeted(Buffer.from(message.remoteId).toString("hex"))
    else if (message._tag === "Changes") this.#take(message.entries)
    else if (message._tag === "Ack") {
      this.#unacked.get(message.id)?.acked(message.sequenceNumbers)
      this.#unacked.delete(message.id)
    } else if (message._tag === "Error") this.#refused(message)
    for (const check of this.#waiting) check()
  }

  #greeted(remoteId: string): void {
    const isFirst = this.remoteIds.length === 0
    if (this.remoteIds.at(-1) !== remoteId) {
      this.remoteIds.push(remoteId)
      this.received = []
      if (!isFirst)
        for (let from = 0; from < this.#written.length; from += maxEntries) {
          void this.#writeOnce(this.#written.slice(from, from + maxEntries))
        }
    }
    this.#subscribe()
    for (const write of this.#unacked.values()) this.#sendWrite(write)
  }

  #take(entries: Extract<ProtocolResponseUnencrypted, { readonly _tag: "Changes" }>["entries"]): void {
    for (const { entry, remoteSequence } of entries) {
      if (remoteSequence !== this.received.length + 1) {
        this.faults.push(`got ${remoteSequence} after ${this.received.length}`)
      }
      this.received.push(entry.idString)
    }
  }

  #refused({
    id,
    reason,
    requestTag,
    retryable
  }: Extract<ProtocolResponseUnencrypted, { readonly _tag: "Error" }>): void {
    if (!retryable) {
      this.faults.push(`${requestTag} was refused: ${reason}`)
      return
    }
    setTimeout(() => {
      if (requestTag === "RequestChanges") return this.#subscribe()
      const write = id === undefined ? undefined : this.#unacked.get(id)
      if (write !== undefined) this.#sendWrite(write)
    }, retryDelay)
  }
}
