import { Schema } from "effect"
import { EventJournal } from "effect/eventlog"

/** The websocket subprotocol, selected when the client offers it. */
export const subprotocol = "eventlog.v1"

/** The version that `Hello` carries. */
export const protocolVersion = 1

const Sequence = Schema.Natural
const Id = Schema.Natural
const Bytes = Schema.Uint8Array

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
  maxSubscriptions: Schema.Natural
})

// --- from the client ---------------------------------------------------------------------------------------------

/** Proves that this connection's peer holds the signing key of `publicKey`. Answered by `Authenticated` or `Error`. */
export const Authenticate = Schema.TaggedStruct("Authenticate", {
  publicKey: Schema.String,
  signingPublicKey: Bytes,
  signature: Bytes,
  algorithm: Schema.String
})

/** Appends entries to the store of `publicKey`. Answered by an `Ack` or an `Error` with the same `id`. */
export const WriteEntries = Schema.TaggedStruct("WriteEntries", {
  id: Id,
  publicKey: Schema.String,
  entries: Schema.Array(EventJournal.Entry)
})

/** Subscribes to the store of `publicKey` from `startSequence` (inclusive; 0 is 1). */
export const RequestChanges = Schema.TaggedStruct("RequestChanges", {
  publicKey: Schema.String,
  startSequence: Sequence,
  id: Schema.optionalKey(Id)
})

/** Ends the subscription of `publicKey`; with an `id`, only if it is still that one. */
export const StopChanges = Schema.TaggedStruct("StopChanges", {
  publicKey: Schema.String,
  id: Schema.optionalKey(Id)
})

// --- from either side --------------------------------------------------------------------------------------------

/** Asks for a `Pong` with the same id. */
export const Ping = Schema.TaggedStruct("Ping", { id: Id })

/** The answer to a `Ping`. */
export const Pong = Schema.TaggedStruct("Pong", { id: Id })

/** A part of a message that is bigger than one chunk: `[index, total]`, from 0, in any order. */
export const ChunkedMessage = Schema.TaggedStruct("ChunkedMessage", {
  id: Id,
  part: Schema.Tuple([Schema.Natural, Schema.Natural]),
  data: Bytes
})

// --- from the server ---------------------------------------------------------------------------------------------

/** The first message of a connection; a later one replaces the challenge. */
export const Hello = Schema.TaggedStruct("Hello", {
  remoteId: EventJournal.RemoteId,
  protocol: Schema.Natural,
  limits: Limits,
  challenge: Schema.optionalKey(Bytes)
})

/** `publicKey` is proved on this connection. `challenge` is the next one, to prove another key. */
export const Authenticated = Schema.TaggedStruct("Authenticated", {
  publicKey: Schema.String,
  challenge: Bytes
})

/** The batch is durable. One sequence per entry, in its order. */
export const Ack = Schema.TaggedStruct("Ack", {
  id: Id,
  sequenceNumbers: Schema.Array(Sequence)
})

/** The subscription stands; `head` was the last sequence then. */
export const Subscribed = Schema.TaggedStruct("Subscribed", {
  publicKey: Schema.String,
  id: Schema.optionalKey(Id),
  head: Sequence
})

/** Entries of the feed, in sequence order. */
export const Changes = Schema.TaggedStruct("Changes", {
  publicKey: Schema.String,
  id: Schema.optionalKey(Id),
  entries: Schema.Array(EventJournal.RemoteEntry)
})

/** Everything up to `head` was sent. It informs and moves nothing. */
export const CaughtUp = Schema.TaggedStruct("CaughtUp", {
  publicKey: Schema.String,
  id: Schema.optionalKey(Id),
  head: Sequence
})

/** What kind of refusal an `Error` is. */
export const ErrorCode = Schema.Literals([
  "Unauthorized",
  "Forbidden",
  "InvalidRequest",
  "Unavailable",
  "InternalServerError"
])
export type ErrorCode = typeof ErrorCode.Type

/** Why a request failed. `retryable` is fixed per reason. */
export const ErrorReason = Schema.Literals([
  "NotProved",
  "BadProof",
  "Refused",
  "NotMapped",
  "AlreadyAssigned",
  "Malformed",
  "Limit",
  "BadEntry",
  "ClockSkew",
  "FeedMismatch",
  "Unavailable",
  "RateLimited",
  "ShuttingDown",
  "Internal"
])
export type ErrorReason = typeof ErrorReason.Type

/** A request failed. Nothing of it was done. */
export class ErrorUnencrypted extends Schema.Class<ErrorUnencrypted>("@eventlog-server/core/ErrorUnencrypted")({
  _tag: Schema.tag("Error"),
  /** The `_tag` of the request. */
  requestTag: Schema.String,
  /** The `id` of the request, where it had one. */
  id: Schema.optionalKey(Id),
  publicKey: Schema.optionalKey(Schema.String),
  code: ErrorCode,
  reason: ErrorReason,
  /** For people. */
  message: Schema.String,
  /** Whether the same request may succeed later. */
  retryable: Schema.Boolean,
  /** The entries that caused the refusal, where single ones did. */
  entryIds: Schema.optionalKey(Schema.Array(Bytes))
}) {}

/** What a client may send. */
export const ProtocolRequestUnencrypted = Schema.Union([
  Authenticate,
  WriteEntries,
  RequestChanges,
  StopChanges,
  Ping,
  Pong,
  ChunkedMessage
])
export type ProtocolRequestUnencrypted = typeof ProtocolRequestUnencrypted.Type

/** What a server may send. */
export const ProtocolResponseUnencrypted = Schema.Union([
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
export type ProtocolResponseUnencrypted = typeof ProtocolResponseUnencrypted.Type
