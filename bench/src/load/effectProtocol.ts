import { Effect, Schema } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { Rpc, type RpcMessage, RpcSerialization } from "effect/rpc"
import { type Delivery, type Device, type Protocol, publicKeyOf, type Target } from "./device.ts"
import { Batches, madeAt } from "./entries.ts"
import { proveKey } from "./signing.ts"
import { headRoom, LeanWebSocket } from "./webSocket.ts"

// effect's own client decodes into queues and fibers, a pair of them for each subscriber: with many of them it would be
// the bottleneck. This speaks its RPC protocol with its own codecs, and nothing around them.
const serialization = Effect.runSync(
  Effect.provide(RpcSerialization.RpcSerialization, RpcSerialization.layerSchemaBinary())
)
const { AuthenticateRpc, ChangesRpc, HelloRpc, WriteEntriesUnencrypted, WriteSingleRpc } = EventLogMessage

const encoderOf = <S extends Schema.Top>(schema: S) =>
  Schema.encodeUnknownSync(serialization.codecFor(schema) as Schema.Codec<S["Type"], unknown>)
const decoderOf = <S extends Schema.Top>(schema: S) =>
  Schema.decodeUnknownSync(serialization.codecFor(schema) as Schema.Codec<S["Type"], unknown>)

const encodeAuthenticate = encoderOf(AuthenticateRpc.payloadSchema)
const encodeWrite = encoderOf(WriteSingleRpc.payloadSchema)
const encodeChanges = encoderOf(ChangesRpc.payloadSchema)
const encodeNothing = encoderOf(HelloRpc.payloadSchema)
const decodeHello = decoderOf(Rpc.exitSchema(HelloRpc))
const decodeAuthenticate = decoderOf(Rpc.exitSchema(AuthenticateRpc))
const decodeWrite = decoderOf(Rpc.exitSchema(WriteSingleRpc))
const decodeChunk = decoderOf(
  Schema.NonEmptyArray(Schema.Union([EventLogMessage.SingleMessage, EventLogMessage.ChunkedMessage]))
)

const deliveryOf = (data: Uint8Array<ArrayBuffer>): Delivery => {
  const entries = Effect.runSync(ChangesRpc.decodeUnencrypted(data))
  return { entries: entries.length, madeAt: madeAt(Buffer.from(entries[0].entry.id), 0) }
}

interface Exit {
  readonly _tag: "Success" | "Failure"
}

const open = async (path: string, { onFailure, storeId, url }: Target): Promise<Device> => {
  const publicKey = publicKeyOf(storeId)
  const parser = serialization.makeUnsafe()
  const exits = new Map<string | number, (exit: unknown) => void>()
  const joining = EventLogMessage.ChunkedMessage.initialJoinState()
  let deliver: (delivery: Delivery) => void = () => {}
  let nextId = 0

  const send = (message: unknown): void => socket.send(parser.encode(message) as Uint8Array)
  const request = (tag: string, payload: unknown, onExit: (exit: unknown) => void): void => {
    const id = nextId++
    exits.set(id, onExit)
    send({ _tag: "Request", id, tag, payload, headers: [] })
  }
  const answer = (tag: string, payload: unknown) =>
    new Promise<unknown>((resolve) => void request(tag, payload, resolve))

  const onChunk = ({ requestId, values }: RpcMessage.ResponseChunkEncoded): void => {
    send({ _tag: "Ack", requestId })
    for (const message of decodeChunk(values)) {
      const data = message._tag === "Single" ? message.data : EventLogMessage.ChunkedMessage.join(joining, message)
      if (data !== undefined) deliver(deliveryOf(data as Uint8Array<ArrayBuffer>))
    }
  }
  const onMessage = (frame: Buffer): void => {
    // The parser keeps views of what it is fed.
    for (const message of parser.decode(new Uint8Array(frame)) as ReadonlyArray<RpcMessage.FromServerEncoded>) {
      if (message._tag === "Chunk") onChunk(message)
      else if (message._tag === "Exit") {
        exits.get(message.requestId)?.(message.exit)
        exits.delete(message.requestId)
      } else onFailure(`The server sent ${message._tag}`)
    }
  }
  const succeed = (exit: Exit): void => {
    if (exit._tag === "Failure") onFailure(`The server failed: ${JSON.stringify(exit)}`)
  }

  const socket = await LeanWebSocket.open(new URL(path, url), { onMessage, onClose: onFailure })
  const hello = decodeHello(await answer("EventLog.Hello", encodeNothing(undefined)))
  if (hello._tag === "Failure") throw new Error(`The server failed: ${JSON.stringify(hello)}`)
  const { challenge, remoteId } = hello.value
  const { _tag, ...proof } = proveKey({ remoteId, challenge, publicKey })
  const authenticate = new EventLogMessage.Authenticate(proof)
  succeed(decodeAuthenticate(await answer("EventLog.Authenticate", encodeAuthenticate(authenticate))))

  return {
    write: (batches, acknowledged) =>
      request("EventLog.WriteSingle", encodeWrite({ data: batches.next().subarray(headRoom) }), (exit) => {
        succeed(decodeWrite(exit))
        acknowledged()
      }),
    subscribe: (startSequence, onEntries) => {
      deliver = onEntries
      request("EventLog.Changes", encodeChanges({ publicKey, storeId, startSequence }), (exit) =>
        onFailure(`The server ended a subscription: ${Buffer.from(exit as Uint8Array)}`)
      )
    },
    close: () => socket.close()
  }
}

/** What effect's own clients speak, on a path. */
const onPath = (path: string): Protocol => ({
  open: (target) => open(path, target),
  batches: (storeId, options) =>
    new Batches(options, (entries) =>
      Effect.runSync(
        new WriteEntriesUnencrypted({
          publicKey: publicKeyOf(storeId),
          storeId: EventLogMessage.StoreId.make(storeId),
          entries: [...entries]
        }).encoded
      )
    )
})

/** The RPC protocol, with effect's own server. */
export const effectProtocol = onPath("/")

/** The same with ours: what clients that were never changed for it speak. */
export const stockProtocol = onPath("/eventlog/rpc")
