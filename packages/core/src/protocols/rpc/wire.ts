import { Exit, Result, Schema } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { Rpc, type RpcMessage, type RpcSerialization } from "effect/rpc"
import type { Limits } from "../../wire/limits.ts"
import { MalformedBytes } from "./ByteReader.ts"
import { type ClientMessage, type EnvelopeReader, makeEnvelopeReader } from "./envelope.ts"
import { type FrameEncoder, makeFrameEncoder } from "./frames.ts"
import { otherLayout } from "./layout.ts"
import { hasShortNames, modestFields, wholeWrite } from "./payloads.ts"
import { checkPageLayout } from "./remoteEntries.ts"
import { splitFrame } from "./splitFrame.ts"
import type { StructField } from "./structFields.ts"
import { checkWriteLayout } from "./writeEntries.ts"

const rpcs = {
  "EventLog.Hello": EventLogMessage.HelloRpc,
  "EventLog.Authenticate": EventLogMessage.AuthenticateRpc,
  "EventLog.WriteSingle": EventLogMessage.WriteSingleRpc,
  "EventLog.WriteChunked": EventLogMessage.WriteChunkedRpc,
  "EventLog.Changes": EventLogMessage.ChangesRpc
}

/** The name of a call. */
export type RpcTag = keyof typeof rpcs

/** What comes with a call. */
export type Payload<Tag extends RpcTag> = Rpc.Payload<(typeof rpcs)[Tag]>

/** What a call is answered with, or a stream ends with. */
export type Answer = Exit.Exit<unknown, EventLogMessage.EventLogProtocolError>

type Id = string | number

/** Whether the server knows a call of this name. */
export const isRpcTag = (tag: string): tag is RpcTag => Object.hasOwn(rpcs, tag)

/** Any schema, to a codec that looks at values only. */
type AnySchema = Schema.Codec<unknown>

interface Codec {
  readonly decode: (payload: Uint8Array, fields: ReadonlyArray<StructField>) => Result.Result<unknown, unknown>
  readonly encode: (answer: Answer) => Uint8Array
}

/** Whether a call carries entries. */
export const bringsData = (tag: string): boolean => tag === "EventLog.WriteSingle" || tag === "EventLog.WriteChunked"

/** Throws where the data of a part of a write is not found in what effect's own encoder makes of it. */
const checkPayloadLayouts = (codecFor: (schema: Schema.Top) => AnySchema) => {
  const data = new Uint8Array(1_000)
  const encode = (schema: Schema.Top, value: unknown) => Schema.encodeUnknownSync(codecFor(schema))(value) as Uint8Array
  const payloads = [
    encode(EventLogMessage.WriteSingleRpc.payloadSchema, { data }),
    encode(EventLogMessage.ChunkedMessage, new EventLogMessage.ChunkedMessage({ id: 1, part: [0, 1], data }))
  ]
  if (!payloads.every((payload) => modestFields(payload, true) !== undefined))
    throw otherLayout("the payloads of its calls")
}

/** Effect's RPC on the wire: envelopes in SchemaBinary, and in them the payloads and answers of the five calls. */
export class Wire {
  private readonly limits: Pick<Limits, "maxPublicKeyBytes">
  private readonly encoder: RpcSerialization.Parser
  private readonly readEnvelope: EnvelopeReader
  private readonly codecs: ReadonlyMap<string, Codec>
  private readonly encodeDefect: (answer: Answer) => Uint8Array
  private readonly frames: FrameEncoder
  private readonly nothing: Uint8Array
  /** The values of one `Chunk` of a stream of changes, the same bytes for every subscriber. */
  readonly encodeChanges: (
    values: ReadonlyArray<EventLogMessage.SingleMessage | EventLogMessage.ChunkedMessage>
  ) => Uint8Array

  /** Throws where the installed version of effect lays messages out in another way than they are read here. */
  constructor(
    serialization: RpcSerialization.RpcSerialization["Service"],
    limits: Pick<Limits, "maxNameBytes" | "maxPublicKeyBytes">
  ) {
    const codecFor = (schema: Schema.Top) => serialization.codecFor(schema as AnySchema)
    this.limits = limits
    this.encoder = serialization.makeUnsafe()
    this.readEnvelope = makeEnvelopeReader((message) => this.encode(message), limits)
    this.frames = makeFrameEncoder((message) => this.encode(message))
    this.codecs = new Map(
      Object.entries(rpcs).map(([tag, rpc]) => {
        const decode = Schema.decodeUnknownResult(codecFor(rpc.payloadSchema))
        return [
          tag,
          {
            decode: tag === "EventLog.WriteSingle" ? wholeWrite : (payload) => decode(payload),
            encode: Schema.encodeUnknownSync(codecFor(Rpc.exitSchema(rpc as never))) as Codec["encode"]
          }
        ]
      })
    )
    this.nothing = this.codecs.get("EventLog.WriteSingle")!.encode(Exit.succeed([])).slice()
    this.encodeDefect = Schema.encodeUnknownSync(
      codecFor(Schema.Exit(Schema.Never, Schema.Never, Schema.Defect()))
    ) as Codec["encode"]
    const { success } = EventLogMessage.ChangesRpc.successSchema
    this.encodeChanges = Schema.encodeUnknownSync(codecFor(Schema.NonEmptyArray(success))) as Wire["encodeChanges"]
    checkPayloadLayouts(codecFor)
    checkWriteLayout()
    checkPageLayout()
  }

  /** The messages of a websocket frame, or `undefined` when it holds anything else. */
  read(frame: Uint8Array): ReadonlyArray<ClientMessage> | undefined {
    try {
      return splitFrame(frame).map(this.readEnvelope)
    } catch (error) {
      if (error instanceof MalformedBytes) return undefined
      throw error
    }
  }

  /**
   * What is kept of a frame that is too big to be kept before a key was proved: after a reconnect a stock client doesn't
   * know yet that it has to prove itself again, and sends its subscription and the first four chunks of what it has to
   * write. They are refused without being read, as calls with nothing in them; any other frame is not kept.
   */
  shrink(frame: Uint8Array): Uint8Array | undefined {
    const [request, ...more] = this.read(frame) ?? []
    if (request?._tag !== "Request" || more.length > 0 || !bringsData(request.tag)) return undefined
    return this.encode({ ...request, payload: new Uint8Array(0) as never, headers: [] } as never)
  }

  /** What came with a call; a failure where it is something else, or more than comes with such a call. */
  payload<Tag extends RpcTag>(tag: Tag, payload: Uint8Array): Result.Result<Payload<Tag>, unknown> {
    const fields = modestFields(payload, bringsData(tag))
    if (fields === undefined) return Result.fail("The payload is no payload of such a call")
    const decoded = this.codecs.get(tag)!.decode(payload, fields) as Result.Result<Payload<Tag>, unknown>
    return Result.filterOrFail(
      decoded,
      (payload) => hasShortNames(payload as object | undefined, this.limits),
      () => "The names are too long"
    )
  }

  /** The frame that answers a call. */
  exit(tag: RpcTag, requestId: Id, answer: Answer): Uint8Array {
    return this.frames.exit(requestId, this.codecs.get(tag)!.encode(answer))
  }

  /** The frame that says that a write is durable, or that a part of one arrived. */
  written(requestId: Id): Uint8Array {
    return this.frames.exit(requestId, this.nothing)
  }

  /** The frame that answers a call of no known name. */
  unknown(requestId: Id, answer: Answer): Uint8Array {
    return this.frames.exit(requestId, this.encodeDefect(answer))
  }

  /** The frames of one stream, with values that were encoded before. */
  chunksOf(requestId: Id): (values: Uint8Array) => Uint8Array {
    return this.frames.chunksOf(requestId)
  }

  /** The frame that answers a ping. */
  get pong(): Uint8Array {
    return this.frames.pong
  }

  private encode(message: RpcMessage.FromServerEncoded | RpcMessage.FromClientEncoded): Uint8Array {
    return this.encoder.encode(message) as Uint8Array
  }
}
