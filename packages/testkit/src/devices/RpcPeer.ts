import { Context, Effect, Layer, Schema } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { Rpc, type RpcMessage, RpcSerialization } from "effect/rpc"
import { onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { todoAdded } from "../schema/index.ts"
import { type SigningKey, signProof } from "../signing/index.ts"

const {
  AuthenticateRpc,
  ChangesRpc,
  ChunkedMessage,
  HelloRpc,
  WriteChunkedRpc,
  WriteEntriesUnencrypted,
  WriteSingleRpc
} = EventLogMessage
/** Effect's SchemaBinary. */
export const serialization = Context.get(
  Effect.runSync(Effect.scoped(Layer.build(RpcSerialization.layerSchemaBinary()))),
  RpcSerialization.RpcSerialization
)
const codec = (schema: Schema.Top) => serialization.codecFor(schema as Schema.Codec<unknown>)
/** The store that a stock client names unless it is told another. */
export const storeId = EventLogMessage.StoreId.make("default")

/** How a call was answered. */
export interface Outcome {
  readonly _tag: string
  readonly value?: unknown
  readonly code?: string
}

/** A peer that speaks effect's RPC by hand, so that a test can say exactly what it likes. */
export class RpcPeer {
  readonly socket: WebSocket
  readonly opened: Promise<unknown>
  readonly closed: Promise<number>
  /** The code and the reason. */
  readonly closedWith: Promise<readonly [number, string]>
  readonly parser = serialization.makeUnsafe()
  readonly #waiting = new Map<unknown, (exit: unknown) => void>()
  #nextId = 1
  pongs = 0
  #inOneFrame: Array<Uint8Array> | undefined
  /** The `Chunk`s of streams that came so far, by the id of their call. */
  readonly chunks: Array<string | number> = []

  constructor(url: string) {
    this.socket = new WebSocket(`${url}/rpc`, { perMessageDeflate: false })
    this.opened = new Promise((resolve) => this.socket.once("open", resolve))
    this.closedWith = new Promise((resolve) =>
      this.socket.once("close", (code, reason) => resolve([code, reason.toString()]))
    )
    this.closed = this.closedWith.then(([code]) => code)
    this.socket.on("error", () => {})
    this.socket.on("message", (data: Buffer) => {
      for (const message of this.parser.decode(Uint8Array.from(data)) as Array<RpcMessage.FromServerEncoded>) {
        if (message._tag === "Pong") this.pongs++
        if (message._tag === "Chunk") this.chunks.push(message.requestId)
        if (message._tag === "Exit") this.#waiting.get(message.requestId)?.(message.exit)
      }
    })
    onTestFinished(() => this.socket.terminate())
  }

  send(message: object): void {
    const bytes = this.parser.encode(message) as Uint8Array
    if (this.#inOneFrame === undefined) this.socket.send(bytes)
    else this.#inOneFrame.push(bytes)
  }

  /** Sends what is begun in one frame. */
  together<A>(begin: () => A): A {
    const messages: Array<Uint8Array> = []
    this.#inOneFrame = messages
    const begun = begin()
    this.#inOneFrame = undefined
    this.socket.send(Buffer.concat(messages))
    return begun
  }

  async call(rpc: Rpc.AnyWithProps, payload?: unknown, id: number = this.#nextId++): Promise<Outcome> {
    const encoded = Schema.encodeUnknownSync(codec(rpc.payloadSchema))(payload)
    return this.answer({ _tag: "Request", id, tag: rpc._tag, payload: encoded, headers: [] }, rpc)
  }

  /** Makes a call whose message was made by hand. */
  async answer(
    request: { readonly id: number; readonly [field: string]: unknown },
    rpc: Rpc.AnyWithProps = WriteSingleRpc as never
  ) {
    const exit = new Promise((resolve) => this.#waiting.set(request.id, resolve))
    this.send(request)
    const decoded = Schema.decodeUnknownSync(codec(Rpc.exitSchema(rpc as never)))(await exit) as {
      readonly _tag: string
      readonly value?: unknown
      readonly cause?: { readonly reasons: ReadonlyArray<{ readonly error?: { readonly code: string } }> }
    }
    const code = decoded.cause?.reasons[0]?.error?.code
    return { _tag: decoded._tag, value: decoded.value, ...(code === undefined ? {} : { code }) }
  }

  async proof(publicKey: string, key: SigningKey) {
    const { challenge, remoteId } = (await this.call(HelloRpc as never)).value as EventLogMessage.HelloResponse
    const { _tag, ...proof } = signProof({ remoteId, challenge, publicKey, key })
    return proof
  }

  authenticate(proof: object): Promise<Outcome> {
    return this.call(AuthenticateRpc as never, new EventLogMessage.Authenticate(proof as never))
  }

  async write(publicKey: string, entries = [todoAdded("theft")]): Promise<Outcome> {
    const data = await Effect.runPromise(new WriteEntriesUnencrypted({ publicKey, storeId, entries }).encoded)
    return this.call(WriteSingleRpc as never, { data })
  }

  async writeInParts(publicKey: string): Promise<Outcome> {
    const data = await Effect.runPromise(
      new WriteEntriesUnencrypted({ publicKey, storeId, entries: [todoAdded("theft")] }).encoded
    )
    await this.part(7, [0, 2], data.slice(0, 20))
    return this.part(7, [1, 2], data.slice(20))
  }

  part(id: number, part: readonly [number, number], data: Uint8Array): Promise<Outcome> {
    return this.call(WriteChunkedRpc as never, new ChunkedMessage({ id, part, data: data as Uint8Array<ArrayBuffer> }))
  }

  /** Follows a store; the answer is how the stream ends. */
  changes(publicKey: string): Promise<Outcome> {
    return this.call(ChangesRpc as never, { publicKey, storeId, startSequence: 0 })
  }

  /** Takes a `Chunk`. */
  acknowledge(requestId: string | number): void {
    this.send({ _tag: "Ack", requestId })
  }
}
