import { EventJournal } from "effect/eventlog"
import {
  array,
  binary,
  type FieldType,
  flag,
  instance,
  literal,
  message,
  natural,
  oneOf,
  optional,
  pair,
  record,
  text,
  uuid
} from "./fields.ts"
import { announcedFields, defaultLimits } from "./limits.ts"

/** The websocket subprotocol, selected when the client offers it. */
export const subprotocol = "eventlog.v1"

/** What an adapter says, with 426, to a request without an upgrade that would be let in with one. */
export const upgradeRequired = "This is an event log: connect with a websocket"

/** The version that `Hello` carries. */
export const protocolVersion = 1

const publicKey = text()
const id = natural
const sequence = natural

// Here and elsewhere without `disableChecks`: nothing is checked but types, and any option makes it four times slower.
const entry = instance(
  { id: uuid<EventJournal.EntryId>(), event: text(), primaryKey: text(), payload: binary() },
  (fields) => new EventJournal.Entry(fields)
)

const remoteEntry = instance({ remoteSequence: sequence, entry }, (fields) => new EventJournal.RemoteEntry(fields))

// --- from the client ---------------------------------------------------------------------------------------------

/** Proves that this connection's peer holds the signing key of `publicKey`. Answered by `Authenticated` or `Error`. */
export const Authenticate = message("Authenticate", {
  publicKey,
  // Twice what Ed25519 has.
  signingPublicKey: binary(64),
  signature: binary(128),
  algorithm: text(defaultLimits.maxNameBytes)
})

/** Appends entries to the store of `publicKey`. Answered by an `Ack` or an `Error` with the same `id`. */
export const WriteEntries = message("WriteEntries", { id, publicKey, entries: array(entry) })

/**
 * Subscribes to the store of `publicKey` from `startSequence` (inclusive; 0 is 1). `lastEntryId` is the id of the entry before,
 * where the client received it live: then it is told when the server's history is another one by now.
 *
 * `maxEntries` and `maxBytes` are how much the client has room for: the subscription ends by itself, as with `StopChanges`, with
 * the `Changes` that reaches either, so that nothing is under way that the client would throw away.
 */
export const RequestChanges = message("RequestChanges", {
  publicKey,
  startSequence: sequence,
  id: optional(id),
  lastEntryId: optional(uuid()),
  maxEntries: optional(natural),
  maxBytes: optional(natural)
})

/** Ends the subscription of `publicKey`; with an `id`, only if it is still that one. */
export const StopChanges = message("StopChanges", { publicKey, id: optional(id) })

// --- from either side --------------------------------------------------------------------------------------------

/** Asks for a `Pong` with the same id. */
export const Ping = message("Ping", { id })

/**
 * The answer to a `Ping`. A server's may carry another `reconnectWithin` than its `Hello` did: there are more clients by now,
 * or fewer.
 */
export const Pong = message("Pong", { id, reconnectWithin: optional(natural) })

/** A part of a message that is bigger than one chunk: `[index, total]`, from 0, in any order. */
export const ChunkedMessage = message("ChunkedMessage", { id, part: pair(natural), data: binary() })

// --- from the server ---------------------------------------------------------------------------------------------

/**
 * The first message of a connection; a later one replaces the challenge. A client whose connection ends without a close frame
 * comes back after a random part of `reconnectWithin` milliseconds: the server may have died, and all others have lost it, too.
 */
export const Hello = message("Hello", {
  remoteId: uuid<EventJournal.RemoteId>(),
  protocol: natural,
  limits: record(announcedFields),
  challenge: optional(binary()),
  reconnectWithin: optional(natural)
})

/** `publicKey` is proved on this connection. `challenge` is the next one, to prove another key. */
export const Authenticated = message("Authenticated", { publicKey, challenge: binary() })

/** The batch is durable. One sequence per entry, in its order. */
export const Ack = message("Ack", { id, sequenceNumbers: array(sequence) })

/** The subscription stands; `head` was the last sequence then. */
export const Subscribed = message("Subscribed", { publicKey, id: optional(id), head: sequence })

/** Entries of the feed, in sequence order. */
// `entries` stays last: `changesPrefix` is everything before it.
export const Changes = message("Changes", { publicKey, id: optional(id), entries: array(remoteEntry) })

/** Everything up to `head` was sent. It informs and moves nothing. */
export const CaughtUp = message("CaughtUp", { publicKey, id: optional(id), head: sequence })

/** What kind of refusal an `Error` is. */
export const ErrorCode = literal("Unauthorized", "Forbidden", "InvalidRequest", "Unavailable", "InternalServerError")
export type ErrorCode = FieldType<typeof ErrorCode>

/** Why a request failed. `retryable` is fixed per reason. */
export const ErrorReason = literal(
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
)
export type ErrorReason = FieldType<typeof ErrorReason>

/**
 * A request failed. Nothing of it was done.
 *
 * `requestTag`, `id` and `publicKey` are those of the request, where it had them; `message` is for people; `retryable` says
 * whether the same request may succeed later; `entryIds` are the entries that caused the refusal, where single ones did.
 */
export const ErrorUnencrypted = message("Error", {
  requestTag: text(),
  id: optional(id),
  publicKey: optional(publicKey),
  code: ErrorCode,
  reason: ErrorReason,
  message: text(),
  retryable: flag,
  entryIds: optional(array(uuid()))
})
export type ErrorUnencrypted = typeof ErrorUnencrypted.Type

/** What a client may send. */
export const ProtocolRequestUnencrypted = oneOf(
  Authenticate,
  WriteEntries,
  RequestChanges,
  StopChanges,
  Ping,
  Pong,
  ChunkedMessage
)
export type ProtocolRequestUnencrypted = typeof ProtocolRequestUnencrypted.Type

/** What a server may send. */
export const ProtocolResponseUnencrypted = oneOf(
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
)
export type ProtocolResponseUnencrypted = typeof ProtocolResponseUnencrypted.Type
