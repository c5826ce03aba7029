import { RpcMessage } from "effect/rpc"
import type { Limits } from "../../wire/limits.ts"
import { ByteReader, MalformedBytes } from "./ByteReader.ts"
import { equalBytes, otherLayout } from "./layout.ts"
import { splitFrame } from "./splitFrame.ts"

type Id = string | number

/** A call, without its headers: the server has no use for them. */
export interface RequestMessage {
  readonly _tag: "Request"
  readonly id: Id
  readonly tag: string
  /** A copy, which keeps nothing of the frame in memory. */
  readonly payload: Uint8Array
}

/** A message of effect's RPC, as far as a server has use for it. */
export type ClientMessage =
  | RequestMessage
  | { readonly _tag: "Ack" | "Interrupt"; readonly requestId: Id }
  | { readonly _tag: "Ping" | "Eof" }
  /** One that only a server may send. */
  | { readonly _tag: "FromServer" }

/** Reads a message that stands after its length. Throws `MalformedBytes` for anything else. */
export type EnvelopeReader = (message: Uint8Array) => ClientMessage

type Encode = (message: RpcMessage.FromClientEncoded | RpcMessage.FromServerEncoded) => Uint8Array

/** The first byte of a message: SchemaBinary, version 2, whose layout is named by the hash that follows. */
const fingerprinted = 0x21

/** The first byte and the hash. */
const headBytes = 9

/** Members of the union that ids are. */
const [numberId, textId] = [0, 1]

/**
 * The bits that say which of the optional fields of a `Request` are there. All fields stand in a fixed order, each with its
 * length before it: span id, payload, id, sampled, tag, trace id, headers, is notification, discard.
 */
const [hasSpanId, hasSampled, hasTraceId, hasIsNotification, hasDiscard] = [1, 2, 4, 8, 16]
const allOptional = 31

/** Bytes of a number that is written as a varint, and so of its mantissa where it is a decimal. */
const maxVarintBytes = 7
const maxDecimals = 8

/** The fields of all messages that this file was written for. */
const knownFields = new Set([
  ...["_tag", "id", "tag", "payload", "headers", "isNotification", "discard", "traceId", "spanId", "sampled"],
  ...["requestId", "values", "exit", "defect"]
])

/**
 * A reader of the five messages that a client may send. What it costs depends neither on the size of a message nor on what
 * is in it, but for the payload, which is copied: headers and traces are passed over by their length, so that what
 * they hold is not looked at. An id or a tag of more than `maxNameBytes` is refused.
 *
 * @param encode effect's own encoder, whose layout is tried; throws where it is another one than is read here
 */
export const makeEnvelopeReader = (encode: Encode, limits: Pick<Limits, "maxNameBytes">): EnvelopeReader => {
  const head = splitFrame(encode({ _tag: "Ping" }))[0]!.slice(0, headBytes)
  const tags = tagsOf(encode)
  const reading =
    (maxNameBytes: number): EnvelopeReader =>
    (message) => {
      const reader = new ByteReader(message)
      if (!equalBytes(reader.view(headBytes), head)) throw new MalformedBytes("Another layout")
      const read = readMessage(reader, tags.get(reader.unsigned()), maxNameBytes)
      if (read._tag !== "FromServer" && reader.remaining > 0) throw new MalformedBytes("Bytes after the message")
      return read
    }
  tryOut(reading(sampleNameBytes), head, encode)
  return reading(limits.maxNameBytes)
}

/** The messages of a union are told apart by a number, which depends on what else is in the union. */
const tagsOf = (encode: Encode): ReadonlyMap<number, RpcMessage.FromServerEncoded["_tag"] | ClientMessage["_tag"]> =>
  new Map(
    [...clientSamples, ...serverSamples].map((message) => {
      const selector = splitFrame(encode(message))[0]![headBytes]!
      return [selector, message._tag]
    })
  )

const readMessage = (reader: ByteReader, tag: string | undefined, maxNameBytes: number): ClientMessage => {
  switch (tag) {
    case "Request":
      return readRequest(reader, maxNameBytes)
    case "Ack":
    case "Interrupt":
      return { _tag: tag, requestId: readId(reader, maxNameBytes) }
    case "Ping":
    case "Eof":
      return { _tag: tag }
    case undefined:
      throw new MalformedBytes("No known message")
    default:
      return { _tag: "FromServer" }
  }
}

const readRequest = (reader: ByteReader, maxNameBytes: number): RequestMessage => {
  const present = reader.byte()
  if (present > allOptional) throw new MalformedBytes("Fields that are not known")
  const skipField = () => reader.skip(reader.unsigned())
  const skipIf = (bit: number) => {
    if ((present & bit) !== 0) skipField()
  }
  skipIf(hasSpanId)
  const payload = reader.view(reader.unsigned())
  const id = readId(reader, maxNameBytes)
  skipIf(hasSampled)
  const tag = reader.text(reader.unsigned(), maxNameBytes)
  skipIf(hasTraceId)
  skipField()
  skipIf(hasIsNotification)
  skipIf(hasDiscard)
  return { _tag: "Request", id, tag, payload: new Uint8Array(payload) }
}

const readId = (reader: ByteReader, maxNameBytes: number): Id => {
  const length = reader.unsigned()
  if (length === 0) throw new MalformedBytes("No id")
  const end = reader.endOf(length)
  const member = reader.unsigned()
  const rest = end - reader.position
  if (rest < 0) throw new MalformedBytes("Cut off")
  if (member === textId) return reader.text(rest, maxNameBytes)
  if (member === numberId) return readNumber(reader.view(rest))
  throw new MalformedBytes("No known kind of id")
}

/** Eight bytes are a float; fewer are a varint, and a decimal where one more byte follows it. */
const readNumber = (bytes: Uint8Array): number => {
  if (bytes.length === 8) return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true)
  if (bytes.length > maxVarintBytes) throw new MalformedBytes("Not a number")
  const reader = new ByteReader(bytes)
  let code = 0
  for (let scale = 1, byte = 0x80; byte >= 0x80; scale *= 128) {
    byte = reader.byte()
    code += (byte & 0x7f) * scale
  }
  const magnitude = Math.floor(code / 2)
  const value = code % 2 === 0 ? magnitude : -magnitude
  return reader.remaining === 0 ? value : value / 10 ** readDecimals(reader)
}

const readDecimals = (reader: ByteReader): number => {
  const decimals = reader.byte()
  if (reader.remaining > 0 || decimals === 0 || decimals > maxDecimals) throw new MalformedBytes("Not a number")
  return decimals
}

/** Bytes of the names of the samples, at most. */
const sampleNameBytes = 16

const sampleBytes = Uint8Array.of(1, 2, 3, 4, 5)
const sampleIds: ReadonlyArray<Id> = ["the id", "", 0, 1_000, -3, 1.25, 2 ** 50]

/** A `Request` with the optional fields that the bits say. */
const sampleRequest = (id: Id, present: number) => ({
  _tag: "Request" as const,
  id: id as never,
  tag: "the tag",
  payload: sampleBytes as never,
  headers: [["a name", "a value"] as [string, string]],
  ...((present & hasSpanId) !== 0 && { spanId: "a span" }),
  ...((present & hasSampled) !== 0 && { sampled: false }),
  ...((present & hasTraceId) !== 0 && { traceId: "a trace id" }),
  ...((present & hasIsNotification) !== 0 && { isNotification: true as const }),
  ...((present & hasDiscard) !== 0 && { discard: true as const })
})

const clientSamples: ReadonlyArray<RpcMessage.FromClientEncoded> = [
  ...Array.from({ length: allOptional + 1 }, (_, present) => sampleRequest("the id", present)),
  ...sampleIds.flatMap((id) => [
    sampleRequest(id, 0),
    { _tag: "Ack", requestId: id as never } as const,
    { _tag: "Interrupt", requestId: id as never } as const
  ]),
  { _tag: "Ping" },
  { _tag: "Eof" }
]

const serverSamples: ReadonlyArray<RpcMessage.FromServerEncoded> = [
  { _tag: "Chunk", requestId: "the id" as never, values: sampleBytes as never },
  { _tag: "Exit", requestId: "the id" as never, exit: sampleBytes as never },
  { _tag: "Defect", defect: sampleBytes },
  RpcMessage.constPong
]

const tryOut = (read: EnvelopeReader, head: Uint8Array, encode: Encode): void => {
  const isRead = (sample: RpcMessage.FromClientEncoded | RpcMessage.FromServerEncoded): boolean => {
    try {
      return isSame(read(splitFrame(encode(sample))[0]!), sample)
    } catch {
      return false
    }
  }
  const fields = RpcMessage.EncodedSchema.members.flatMap((member) => Object.keys(member.fields))
  const isKnown = head[0] === fingerprinted && fields.every((field) => knownFields.has(field))
  if (!isKnown || ![...clientSamples, ...serverSamples].every(isRead)) throw otherLayout("the messages of its RPC")
}

const isSame = (read: ClientMessage, sample: RpcMessage.FromClientEncoded | RpcMessage.FromServerEncoded): boolean => {
  if (read._tag === "FromServer") return serverSamples.some(({ _tag }) => _tag === sample._tag)
  if (read._tag === "Request" && sample._tag === "Request") {
    const { id, payload, tag } = sample
    return read.id === id && read.tag === tag && equalBytes(read.payload, payload as Uint8Array)
  }
  if ((read._tag === "Ack" || read._tag === "Interrupt") && "requestId" in sample) {
    return read._tag === sample._tag && read.requestId === sample.requestId
  }
  return read._tag === sample._tag
}
