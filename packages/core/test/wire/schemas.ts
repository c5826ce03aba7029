import { Schema } from "effect"
import { EventJournal } from "effect/eventlog"
import { ErrorCode, ErrorReason } from "../../src/wire/index.ts"

const Sequence = Schema.Natural
const Id = Schema.Natural
const Bytes = Schema.Uint8Array
const atMost = (bytes: number) => Bytes.check(Schema.makeFilter(({ length }) => length <= bytes))

const Limits = Schema.Struct({
  maxFrameBytes: Schema.Natural,
  maxMessageBytes: Schema.Natural,
  maxChunkedMessages: Schema.Natural,
  maxBatchEntries: Schema.Natural,
  maxEntryBytes: Schema.Natural,
  maxEventBytes: Schema.Natural,
  maxPrimaryKeyBytes: Schema.Natural,
  maxClockSkewMillis: Schema.Natural,
  maxPendingWrites: Schema.Natural,
  maxInboundBytes: Schema.Natural,
  maxSubscriptions: Schema.Natural,
  maxInboundFrames: Schema.optionalKey(Schema.Natural),
  maxKeys: Schema.optionalKey(Schema.Natural)
})

const Authenticate = Schema.TaggedStruct("Authenticate", {
  publicKey: Schema.String,
  signingPublicKey: atMost(64),
  signature: atMost(128),
  algorithm: Schema.String.check(Schema.makeFilter((text) => Buffer.byteLength(text) <= 64))
})

const WriteEntries = Schema.TaggedStruct("WriteEntries", {
  id: Id,
  publicKey: Schema.String,
  entries: Schema.Array(EventJournal.Entry)
})

const RequestChanges = Schema.TaggedStruct("RequestChanges", {
  publicKey: Schema.String,
  startSequence: Sequence,
  id: Schema.optionalKey(Id),
  lastEntryId: Schema.optionalKey(Bytes.check(Schema.makeFilter(({ length }) => length === 16))),
  maxEntries: Schema.optionalKey(Schema.Natural),
  maxBytes: Schema.optionalKey(Schema.Natural)
})

const StopChanges = Schema.TaggedStruct("StopChanges", {
  publicKey: Schema.String,
  id: Schema.optionalKey(Id)
})

const Ping = Schema.TaggedStruct("Ping", { id: Id })

const Pong = Schema.TaggedStruct("Pong", { id: Id, reconnectWithin: Schema.optionalKey(Schema.Natural) })

const ChunkedMessage = Schema.TaggedStruct("ChunkedMessage", {
  id: Id,
  part: Schema.Tuple([Schema.Natural, Schema.Natural]),
  data: Bytes
})

const Hello = Schema.TaggedStruct("Hello", {
  remoteId: EventJournal.RemoteId,
  protocol: Schema.Natural,
  limits: Limits,
  challenge: Schema.optionalKey(Bytes),
  reconnectWithin: Schema.optionalKey(Schema.Natural)
})

const Authenticated = Schema.TaggedStruct("Authenticated", {
  publicKey: Schema.String,
  challenge: Bytes
})

const Ack = Schema.TaggedStruct("Ack", {
  id: Id,
  sequenceNumbers: Schema.Array(Sequence)
})

const Subscribed = Schema.TaggedStruct("Subscribed", {
  publicKey: Schema.String,
  id: Schema.optionalKey(Id),
  head: Sequence
})

const Changes = Schema.TaggedStruct("Changes", {
  publicKey: Schema.String,
  id: Schema.optionalKey(Id),
  entries: Schema.Array(EventJournal.RemoteEntry)
})

const CaughtUp = Schema.TaggedStruct("CaughtUp", {
  publicKey: Schema.String,
  id: Schema.optionalKey(Id),
  head: Sequence
})

const ErrorUnencrypted = Schema.Struct({
  _tag: Schema.tag("Error"),
  requestTag: Schema.String,
  id: Schema.optionalKey(Id),
  publicKey: Schema.optionalKey(Schema.String),
  code: Schema.Literals(ErrorCode.literals),
  reason: Schema.Literals(ErrorReason.literals),
  message: Schema.String,
  retryable: Schema.Boolean,
  entryIds: Schema.optionalKey(Schema.Array(Bytes))
})

/** What a client may send, in effect's words: the table of the code is measured by it. */
export const ProtocolRequest = Schema.Union([
  Authenticate,
  WriteEntries,
  RequestChanges,
  StopChanges,
  Ping,
  Pong,
  ChunkedMessage
])

/** What a server may send. */
export const ProtocolResponse = Schema.Union([
  Hello,
  Authenticated,
  Ack,
  Subscribed,
  Changes,
  CaughtUp,
  Ping,
  Pong,
  ChunkedMessage,
  ErrorUnencrypted
])
