import { Data, Result } from "effect"
import { Packr, RESET_BUFFER_MODE, Unpackr } from "msgpackr"
import type { Correlation } from "./errors.ts"
import { exceedsBytes, isMap, isNatural, Malformed, type Messages, type WireMap } from "./fields.ts"
import { defaultLimits, type Limits } from "./limits.ts"
import { ProtocolRequestUnencrypted, ProtocolResponseUnencrypted } from "./messages.ts"
import { assertWellFormed, type Bounds } from "./wellFormed.ts"

const packr = new Packr({ useRecords: false, variableMapSize: true })

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: "number", copyBuffers: true })

/**
 * The MessagePack encoding of a plain value, in bytes of its own.
 *
 * msgpackr returns a view of a buffer that it fills again and again, and that grows with the longest message: a short
 * encoding that somebody keeps would keep all of it.
 */
export const pack = (value: unknown): Uint8Array => new Uint8Array(packr.pack(value, RESET_BUFFER_MODE))

/**
 * The value that well-formed `bytes` hold, in memory of its own. Integers are numbers, whatever their encoding.
 *
 * msgpackr keeps a `DataView` on what it is given, and hands out its class: so it gets a plain view.
 */
export const unpack = (bytes: Uint8Array): unknown =>
  unpackr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))

/** Bytes that are no message of the protocol, or that declare more than a request may have. */
export class DecodeError extends Data.TaggedError("DecodeError")<{
  /** The close code for a peer that can't be answered. */
  readonly closeCode: 1007
  /** A short English sentence that repeats nothing of the bytes; it fits a close reason. */
  readonly message: string
  /** `Limit`: too many entries, or too much text. */
  readonly reason: "Malformed" | "Limit"
  /**
   * Present where the bytes were a request of a known `_tag` with an `id` or a `publicKey` that could be read: then an
   * `Error` with the `reason` answers it, and the connection may stay.
   */
  readonly correlation?: Correlation | undefined
}> {}

/** The frame of a client's message. The bytes are the caller's. */
export const encodeRequestUnencrypted = (message: ProtocolRequestUnencrypted): Uint8Array =>
  pack(ProtocolRequestUnencrypted.write(message))

/** The frame of a server's message. The bytes are the caller's. */
export const encodeResponseUnencrypted = (message: ProtocolResponseUnencrypted): Uint8Array =>
  pack(ProtocolResponseUnencrypted.write(message))

const malformed = (error: unknown, correlate: (map: WireMap) => Correlation | undefined, map: WireMap | undefined) => {
  const { before, message, reason } = error instanceof Malformed ? error : new Malformed("Not MessagePack")
  const known = map ?? (before && (unpack(before) as WireMap))
  return Result.fail(new DecodeError({ closeCode: 1007, message, reason, correlation: known && correlate(known) }))
}

interface Reader<M> {
  readonly messages: Messages<M>
  readonly bounds?: Bounds
  readonly correlate: (map: WireMap) => Correlation | undefined
}

const decode = <M>(bytes: Uint8Array, { bounds, correlate, messages }: Reader<M>): Result.Result<M, DecodeError> => {
  let map: WireMap | undefined
  try {
    const { validText } = assertWellFormed(bytes, bounds)
    const value = unpack(bytes)
    if (!isMap(value)) throw new Malformed("Not a map")
    const tag = value._tag
    if (!messages.has(tag)) throw new Malformed("Unknown _tag")
    map = value
    if (!validText) throw new Malformed("A string that is not UTF-8")
    return Result.succeed(messages.read(tag, map))
  } catch (error) {
    return malformed(error, correlate, map)
  }
}

const answerable: ReadonlySet<unknown> = new Set<ProtocolRequestUnencrypted["_tag"]>([
  "Authenticate",
  "WriteEntries",
  "RequestChanges",
  "StopChanges"
])

const correlateRequest = ({ _tag, id, publicKey }: WireMap): Correlation | undefined => {
  if (!answerable.has(_tag)) return undefined
  const isKey = typeof publicKey === "string" && !exceedsBytes(publicKey, defaultLimits.maxPublicKeyBytes)
  const correlation = { ...(isNatural(id) ? { id } : {}), ...(isKey ? { publicKey } : {}) }
  return "id" in correlation || "publicKey" in correlation ? { requestTag: _tag as string, ...correlation } : undefined
}

/** How much a request may declare. Nothing is decoded of one that declares more. */
export interface RequestBounds {
  /** Entries of a batch. A request has no other array of more than 16 elements. */
  readonly maxEntries: number
  /** UTF-8 bytes of one text; a longer one is malformed. @default 64 KiB */
  readonly maxTextBytes?: number
  /** UTF-8 bytes of the texts of an entry, on average. @default 5 KiB: what an entry may have, and its field names */
  readonly maxEntryTextBytes?: number
}

const KiB = 1024

/**
 * The bounds of the requests of a server with these limits: a text may be longer than any that it accepts, so that the
 * entry with it can be named.
 */
export const requestBounds = (
  limits: Pick<Limits, "maxBatchEntries" | "maxEventBytes" | "maxPrimaryKeyBytes">
): RequestBounds => {
  const longest = Math.max(limits.maxEventBytes, limits.maxPrimaryKeyBytes)
  return {
    maxEntries: limits.maxBatchEntries,
    maxTextBytes: Math.max(64 * KiB, 2 * longest),
    maxEntryTextBytes: Math.max(5 * KiB, KiB + limits.maxEventBytes + limits.maxPrimaryKeyBytes)
  }
}

const boundsOf = ({ maxEntries, maxTextBytes = 64 * KiB, maxEntryTextBytes = 5 * KiB }: RequestBounds): Bounds => ({
  maxElements: Math.max(16, maxEntries),
  // An entry has 9, its keys included.
  maxValues: 64 + 32 * maxEntries,
  maxTextBytes,
  maxAllTextBytes: maxTextBytes + maxEntries * maxEntryTextBytes
})

/**
 * The message that a client sent, fully checked. Its bytes are copies: the frame may be reused.
 *
 * A request that declares more than `bounds` costs neither time nor memory. It can still be answered where its `_tag`, and
 * its `id` or `publicKey`, stand before what is too much.
 *
 * @param bounds default: those of `defaultLimits`
 */
export const decodeRequestUnencrypted = (
  bytes: Uint8Array,
  bounds: RequestBounds = requestBounds(defaultLimits)
): Result.Result<ProtocolRequestUnencrypted, DecodeError> =>
  decode(bytes, { messages: ProtocolRequestUnencrypted, bounds: boundsOf(bounds), correlate: correlateRequest })

/** The message that a server sent, fully checked. Its bytes are copies: the frame may be reused. */
export const decodeResponseUnencrypted = (bytes: Uint8Array): Result.Result<ProtocolResponseUnencrypted, DecodeError> =>
  decode(bytes, { messages: ProtocolResponseUnencrypted, correlate: () => undefined })
