import { Effect } from "effect"
import { type EventJournal, EventLogMessage } from "effect/eventlog"
import type { RpcMessage } from "effect/rpc"
import type { Device } from "./device.ts"
import { PeerSocket, type SocketOptions } from "./PeerSocket.ts"
import { type Challenge, proveKey } from "./proveKey.ts"
import {
  type Call,
  decodeExitOf,
  type Exit,
  encodeMessage,
  encodePayloadOf,
  entriesOfChunk,
  serialization
} from "./rpcCodecs.ts"

/** The store that a stock client names unless it is told another; the server takes the one that the key is mapped to. */
const storeId = EventLogMessage.StoreId.make("default")

/** A write as a stock client encodes it. */
export const encodeWrite = (publicKey: string, entries: ReadonlyArray<EventJournal.Entry>): Uint8Array<ArrayBuffer> =>
  Effect.runSync(
    new EventLogMessage.WriteEntriesUnencrypted({ publicKey, storeId, entries: [...entries] }).encoded
  ) as Uint8Array<ArrayBuffer>

/** A peer that speaks effect's RPC by hand, so that it can say exactly what it likes. */
export class RpcPeer implements Device {
  readonly socket: PeerSocket
  readonly #parser = serialization.makeUnsafe()
  readonly #waiting = new Map<unknown, (exit: unknown) => void>()
  readonly #joining = EventLogMessage.ChunkedMessage.initialJoinState()
  #onEntries: (ids: ReadonlyArray<EventJournal.EntryId>) => void = () => {}
  #nextId = 1

  /** @param url where the server is mounted */
  constructor(url: string, options: SocketOptions = {}) {
    this.socket = new PeerSocket(`${url}/rpc`, { ...options, onMessage: (frame) => this.#take(frame) })
    void this.socket.closed.then(() => {
      for (const id of this.#waiting.keys()) this.#settle(id, undefined)
    })
  }

  send(message: object): void {
    this.socket.send(encodeMessage(message))
  }

  /** Makes a call. Rejects when it fails, or the connection ends. */
  async call(call: Call, payload?: unknown): Promise<unknown> {
    const id = this.#nextId++
    const ended = new Promise<unknown>((resolve) => this.#waiting.set(id, resolve))
    this.send({ _tag: "Request", id, tag: `EventLog.${call}`, payload: encodePayloadOf(call, payload), headers: [] })
    const encoded = await ended
    if (encoded === undefined) throw new Error("closed")
    const exit: Exit = decodeExitOf(call, encoded)
    if (exit._tag === "Success") return exit.value
    const error = exit.cause.reasons[0]?.error
    throw new Error(error === undefined ? "The server failed" : `${error.code}: ${error.message}`)
  }

  async prove(publicKey: string): Promise<void> {
    await this.socket.opened
    const challenge = (await this.call("Hello")) as Challenge
    const { _tag, ...proof } = proveKey({ ...challenge, publicKey })
    await this.call("Authenticate", new EventLogMessage.Authenticate(proof))
  }

  async write(publicKey: string, entries: ReadonlyArray<EventJournal.Entry>): Promise<void> {
    await this.writeEncoded(encodeWrite(publicKey, entries))
  }

  /** Sends a write in as many calls as a stock client makes of it. */
  async writeEncoded(data: Uint8Array<ArrayBuffer>): Promise<void> {
    const parts = EventLogMessage.ChunkedMessage.split(this.#nextId++, data)
    if (parts.length === 1) await this.call("WriteSingle", { data })
    else await Promise.all(parts.map((part) => this.call("WriteChunked", part)))
  }

  async subscribe(publicKey: string, onEntries: (ids: ReadonlyArray<EventJournal.EntryId>) => void): Promise<void> {
    this.#onEntries = onEntries
    await this.call("Changes", { publicKey, storeId, startSequence: 1 }).catch(() => {})
  }

  #take(frame: Buffer): void {
    // The parser keeps views of what it is fed.
    for (const message of this.#parser.decode(new Uint8Array(frame)) as ReadonlyArray<RpcMessage.FromServerEncoded>) {
      if (message._tag === "Chunk") this.#chunk(message)
      else if (message._tag === "Exit") this.#settle(message.requestId, message.exit)
    }
  }

  #chunk({ requestId, values }: RpcMessage.ResponseChunkEncoded): void {
    this.send({ _tag: "Ack", requestId })
    this.#onEntries(entriesOfChunk(values, this.#joining).map(({ entry }) => entry.id))
  }

  #settle(id: unknown, exit: unknown): void {
    const settle = this.#waiting.get(id)
    this.#waiting.delete(id)
    settle?.(exit)
  }
}
