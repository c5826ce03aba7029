import { Effect, Schema } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { Rpc, RpcSerialization } from "effect/rpc"

/** Effect's SchemaBinary. */
export const serialization = Effect.runSync(
  Effect.provide(RpcSerialization.RpcSerialization, RpcSerialization.layerSchemaBinary())
)

const encoder = serialization.makeUnsafe()

/** The frame of a message. */
export const encodeMessage = (message: object): Uint8Array => encoder.encode(message) as Uint8Array

const encoderOf = <S extends Schema.Top>(schema: S) =>
  Schema.encodeUnknownSync(serialization.codecFor(schema) as Schema.Codec<S["Type"], unknown>)
const decoderOf = <S extends Schema.Top>(schema: S) =>
  Schema.decodeUnknownSync(serialization.codecFor(schema) as Schema.Codec<S["Type"], unknown>)

/** The names of the calls. */
export const rpcs = {
  Hello: EventLogMessage.HelloRpc,
  Authenticate: EventLogMessage.AuthenticateRpc,
  WriteSingle: EventLogMessage.WriteSingleRpc,
  WriteChunked: EventLogMessage.WriteChunkedRpc,
  Changes: EventLogMessage.ChangesRpc
}

/** The name of a call, without what all have before it. */
export type Call = keyof typeof rpcs

const codecs = Object.fromEntries(
  Object.entries(rpcs).map(([name, rpc]) => [
    name,
    { encode: encoderOf(rpc.payloadSchema), decode: decoderOf(Rpc.exitSchema(rpc as never) as Schema.Top) }
  ])
) as unknown as Record<
  Call,
  { readonly encode: (payload: unknown) => unknown; readonly decode: (exit: unknown) => unknown }
>

/** The payload of a call, encoded. */
export const encodePayloadOf = (call: Call, payload: unknown): unknown => codecs[call].encode(payload)

/** How a call ended. */
export type Exit =
  | { readonly _tag: "Success"; readonly value: unknown }
  | {
      readonly _tag: "Failure"
      readonly cause: {
        readonly reasons: ReadonlyArray<{ readonly error?: { readonly code: string; readonly message: string } }>
      }
    }

/** Decodes how a call ended. */
export const decodeExitOf = (call: Call, exit: unknown): Exit => codecs[call].decode(exit) as Exit

const decodeChunk = decoderOf(
  Schema.NonEmptyArray(Schema.Union([EventLogMessage.SingleMessage, EventLogMessage.ChunkedMessage]))
)

/** The entries of a `Chunk` of a stream of changes. */
export const entriesOfChunk = (
  values: unknown,
  joining: ReturnType<typeof EventLogMessage.ChunkedMessage.initialJoinState>
) =>
  decodeChunk(values).flatMap((message) => {
    const data = message._tag === "Single" ? message.data : EventLogMessage.ChunkedMessage.join(joining, message)
    if (data === undefined) return []
    return Effect.runSync(EventLogMessage.ChangesRpc.decodeUnencrypted(data as Uint8Array<ArrayBuffer>))
  })
