import { type Exit, type Result, Schema } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { Rpc, RpcMessage, type RpcSerialization } from "effect/rpc"
import { splitFrame } from "./splitFrame.ts"

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

/** The calls that carry entries. */
const writes: ReadonlySet<string> = new Set<RpcTag>(["EventLog.WriteSingle", "EventLog.WriteChunked"])

/** Whether the server knows a call of this name. */
export const isRpcTag = (tag: string): tag is RpcTag => Object.hasOwn(rpcs, tag)

/** Any schema, to a codec that looks at values only. */
type AnySchema = Schema.Codec<unknown>

interface Codec {
  readonly decode: (payload: unknown) => Result.Result<unknown, unknown>
  readonly encode: (answer: Answer) => unknown
}

/** Effect's RPC on the wire: envelopes in SchemaBinary, and in them the payloads and answers of the five calls. */
export class Wire {
  private readonly serialization: RpcSerialization.RpcSerialization["Service"]
  private readonly encoder: RpcSerialization.Parser
  private parser: RpcSerialization.Parser
  private readonly codecs: ReadonlyMap<string, Codec>
  private readonly encodeDefect: (answer: Answer) => unknown
  /** The values of one `Chunk` of a stream of changes, the same bytes for every subscriber. */
  readonly encodeChanges: (
    values: ReadonlyArray<EventLogMessage.SingleMessage | EventLogMessage.ChunkedMessage>
  ) => Uint8Array

  constructor(serialization: RpcSerialization.RpcSerialization["Service"]) {
    const codecFor = (schema: Schema.Top) => serialization.codecFor(schema as AnySchema)
    this.serialization = serialization
    this.encoder = serialization.makeUnsafe()
    this.parser = serialization.makeUnsafe()
    this.codecs = new Map(
      Object.entries(rpcs).map(([tag, rpc]) => [
        tag,
        {
          decode: Schema.decodeUnknownResult(codecFor(rpc.payloadSchema)),
          encode: Schema.encodeUnknownSync(codecFor(Rpc.exitSchema(rpc as never)))
        }
      ])
    )
    this.encodeDefect = Schema.encodeUnknownSync(codecFor(Schema.Exit(Schema.Never, Schema.Never, Schema.Defect())))
    const { success } = EventLogMessage.ChangesRpc.successSchema
    this.encodeChanges = Schema.encodeUnknownSync(codecFor(Schema.NonEmptyArray(success))) as Wire["encodeChanges"]
  }

  /** The messages of a websocket frame, or `undefined` when it holds anything else. */
  read(frame: Uint8Array): ReadonlyArray<RpcMessage.FromClientEncoded> | undefined {
    try {
      return splitFrame(frame).flatMap((message) => this.parser.decode(message) as Array<RpcMessage.FromClientEncoded>)
    } catch {
      // A parser that has failed parses nothing any more.
      this.parser = this.serialization.makeUnsafe()
      return undefined
    }
  }

  /**
   * What is kept of a frame that is too big to be kept before a key was proved: after a reconnect a stock client doesn't
   * know yet that it has to prove itself again, and sends its subscription and the first four chunks of what it has to
   * write. They are refused without being read, as calls with nothing in them; any other frame is not kept.
   */
  shrink(frame: Uint8Array): Uint8Array | undefined {
    const [request, ...more] = this.read(frame) ?? []
    if (request?._tag !== "Request" || more.length > 0 || !writes.has(request.tag)) return undefined
    return this.encoder.encode({ ...request, payload: new Uint8Array(0), headers: [] }) as Uint8Array
  }

  /** What came with a call. */
  payload<Tag extends RpcTag>(tag: Tag, payload: unknown): Result.Result<Payload<Tag>, unknown> {
    return this.codecs.get(tag)!.decode(payload) as Result.Result<Payload<Tag>, unknown>
  }

  /** The frame that answers a call. */
  exit(tag: RpcTag, requestId: Id, answer: Answer): Uint8Array {
    return this.encode({ _tag: "Exit", requestId, exit: this.codecs.get(tag)!.encode(answer) as never })
  }

  /** The frame that answers a call of no known name. */
  unknown(requestId: Id, answer: Answer): Uint8Array {
    return this.encode({ _tag: "Exit", requestId, exit: this.encodeDefect(answer) as never })
  }

  /** A frame of a stream, with values that were encoded before. */
  chunk(requestId: Id, values: Uint8Array): Uint8Array {
    return this.encode({ _tag: "Chunk", requestId, values: values as never })
  }

  /** The frame that answers a ping. */
  pong(): Uint8Array {
    return this.encode(RpcMessage.constPong)
  }

  private encode(message: RpcMessage.FromServerEncoded): Uint8Array {
    return this.encoder.encode(message) as Uint8Array
  }
}
