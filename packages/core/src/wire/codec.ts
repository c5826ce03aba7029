import { Data, Result } from "effect"
import type { Correlation } from "./errors.ts"
import { isMap, isNatural, type Shape, type WireMap } from "./fields.ts"
import { Malformed } from "./Malformed.ts"
import type { ProtocolRequestUnencrypted, ProtocolResponseUnencrypted } from "./messages.ts"
import { pack, unpack } from "./msgpack.ts"
import { requestShapes, responseShapes } from "./shapes.ts"
import { assertWellFormed } from "./wellFormed.ts"

/** Bytes that are no message of the protocol. */
export class DecodeError extends Data.TaggedError("DecodeError")<{
  /** The close code for a peer that can't be answered. */
  readonly closeCode: 1007
  /** A short English sentence that repeats nothing of the bytes; it fits a close reason. */
  readonly message: string
  /**
   * Present where the bytes were a request of a known `_tag` with an `id` or a `publicKey`: then an `Error` with the
   * reason `Malformed` answers it, and the connection may stay.
   */
  readonly correlation?: Correlation | undefined
}> {}

type Shapes<M> = Readonly<Record<string, Shape<M>>>

const encode = <M extends { readonly _tag: string }>(shapes: Shapes<M>, message: M): Uint8Array =>
  pack(shapes[message._tag]!.write(message))

/** The frame of a client's message. The bytes are the caller's. */
export const encodeRequestUnencrypted = (message: ProtocolRequestUnencrypted): Uint8Array =>
  encode(requestShapes as Shapes<ProtocolRequestUnencrypted>, message)

/** The frame of a server's message. The bytes are the caller's. */
export const encodeResponseUnencrypted = (message: ProtocolResponseUnencrypted): Uint8Array =>
  encode(responseShapes as Shapes<ProtocolResponseUnencrypted>, message)

const malformed = (error: unknown, correlation: Correlation | undefined) =>
  Result.fail(
    new DecodeError({
      closeCode: 1007,
      message: error instanceof Malformed ? error.message : "Not MessagePack",
      correlation
    })
  )

const decode = <M>(
  shapes: Shapes<M>,
  bytes: Uint8Array,
  correlate: (map: WireMap) => Correlation | undefined
): Result.Result<M, DecodeError> => {
  let map: WireMap | undefined
  try {
    const { validText } = assertWellFormed(bytes)
    const value = unpack(bytes)
    if (!isMap(value)) throw new Malformed("Not a map")
    const tag = value._tag
    if (typeof tag !== "string" || !Object.hasOwn(shapes, tag)) throw new Malformed("Unknown _tag")
    map = value
    if (!validText) throw new Malformed("A string that is not UTF-8")
    return Result.succeed(shapes[tag]!.read(map))
  } catch (error) {
    return malformed(error, map && correlate(map))
  }
}

const answerable: ReadonlySet<unknown> = new Set<ProtocolRequestUnencrypted["_tag"]>([
  "Authenticate",
  "WriteEntries",
  "RequestChanges",
  "StopChanges"
])

const correlateRequest = (map: WireMap): Correlation | undefined => {
  const { _tag, id, publicKey } = map
  if (!answerable.has(_tag)) return undefined
  const correlation = {
    ...(isNatural(id) ? { id } : {}),
    ...(typeof publicKey === "string" ? { publicKey } : {})
  }
  return "id" in correlation || "publicKey" in correlation ? { requestTag: _tag as string, ...correlation } : undefined
}

/** The message that a client sent, fully checked. Its bytes are copies: the frame may be reused. */
export const decodeRequestUnencrypted = (bytes: Uint8Array): Result.Result<ProtocolRequestUnencrypted, DecodeError> =>
  decode(requestShapes as Shapes<ProtocolRequestUnencrypted>, bytes, correlateRequest)

/** The message that a server sent, fully checked. Its bytes are copies: the frame may be reused. */
export const decodeResponseUnencrypted = (bytes: Uint8Array): Result.Result<ProtocolResponseUnencrypted, DecodeError> =>
  decode(responseShapes as Shapes<ProtocolResponseUnencrypted>, bytes, () => undefined)
