import { EventJournal } from "effect/eventlog"
import {
  array,
  binary,
  type Field,
  flag,
  isMap,
  literal,
  message,
  natural,
  optional,
  record,
  type Shape,
  text,
  uuid
} from "./fields.ts"
import type { AnnouncedLimits } from "./limits.ts"
import { Malformed } from "./Malformed.ts"
import {
  ErrorCode,
  ErrorReason,
  ErrorUnencrypted,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted
} from "./messages.ts"

type Shapes<M extends { readonly _tag: string }> = {
  readonly [Tag in M["_tag"]]: Shape<Extract<M, { readonly _tag: Tag }>>
}

const entry: Field<EventJournal.Entry> = {
  read: (value, name) => {
    if (!isMap(value)) throw new Malformed(`${name} holds an entry that is not a map`)
    return new EventJournal.Entry(
      {
        id: uuid.read(value.id, "id") as EventJournal.EntryId,
        event: text.read(value.event, "event"),
        primaryKey: text.read(value.primaryKey, "primaryKey"),
        payload: binary.read(value.payload, "payload")
      },
      { disableChecks: true }
    )
  },
  write: ({ id, event, primaryKey, payload }) => ({ id, event, primaryKey, payload })
}

/** An element of `Changes.entries`. */
export const remoteEntry: Field<EventJournal.RemoteEntry> = {
  read: (value, name) => {
    if (!isMap(value)) throw new Malformed(`${name} holds an entry that is not a map`)
    return new EventJournal.RemoteEntry(
      {
        remoteSequence: natural.read(value.remoteSequence, "remoteSequence"),
        entry: entry.read(value.entry, "entry")
      },
      { disableChecks: true }
    )
  },
  write: (value) => ({ remoteSequence: value.remoteSequence, entry: entry.write(value.entry) })
}

const remoteId: Field<EventJournal.RemoteId> = {
  read: (value, name) => uuid.read(value, name) as EventJournal.RemoteId,
  write: uuid.write
}

const part: Field<readonly [number, number]> = {
  read: (value, name) => {
    if (!Array.isArray(value) || value.length !== 2) throw new Malformed(`${name} is not a pair`)
    return [natural.read(value[0], name), natural.read(value[1], name)]
  },
  write: ([index, total]) => [index, total]
}

const limits = record<AnnouncedLimits>({
  maxFrameBytes: natural,
  maxMessageBytes: natural,
  maxChunkedMessages: natural,
  maxBatchEntries: natural,
  maxEntryBytes: natural,
  maxEventBytes: natural,
  maxPrimaryKeyBytes: natural,
  maxClockSkewMillis: natural,
  maxPendingWrites: natural,
  maxInboundBytes: natural,
  maxSubscriptions: natural
})

const eitherSide: Pick<Shapes<ProtocolRequestUnencrypted>, "Ping" | "Pong" | "ChunkedMessage"> = {
  Ping: message("Ping", { id: natural }),
  Pong: message("Pong", { id: natural }),
  ChunkedMessage: message("ChunkedMessage", { id: natural, part, data: binary })
}

/** Every message of a client. */
export const requestShapes: Shapes<ProtocolRequestUnencrypted> = {
  Authenticate: message("Authenticate", {
    publicKey: text,
    signingPublicKey: binary,
    signature: binary,
    algorithm: text
  }),
  WriteEntries: message("WriteEntries", { id: natural, publicKey: text, entries: array(entry) }),
  RequestChanges: message("RequestChanges", { publicKey: text, startSequence: natural, id: optional(natural) }),
  StopChanges: message("StopChanges", { publicKey: text, id: optional(natural) }),
  ...eitherSide
}

const error = message<ErrorUnencrypted>("Error", {
  requestTag: text,
  id: optional(natural),
  publicKey: optional(text),
  code: literal(ErrorCode.literals),
  reason: literal(ErrorReason.literals),
  message: text,
  retryable: flag,
  entryIds: optional(array(uuid))
})

/** Every message of a server. */
export const responseShapes: Shapes<ProtocolResponseUnencrypted> = {
  Hello: message("Hello", {
    remoteId: remoteId,
    protocol: natural,
    limits,
    challenge: optional(binary)
  }),
  Authenticated: message("Authenticated", { publicKey: text, challenge: binary }),
  Ack: message("Ack", { id: natural, sequenceNumbers: array(natural) }),
  Subscribed: message("Subscribed", { publicKey: text, id: optional(natural), head: natural }),
  // `entries` stays last: `changesPrefix` is everything before it.
  Changes: message("Changes", { publicKey: text, id: optional(natural), entries: array(remoteEntry) }),
  CaughtUp: message("CaughtUp", { publicKey: text, id: optional(natural), head: natural }),
  Error: { ...error, read: (map) => new ErrorUnencrypted(error.read(map), { disableChecks: true }) },
  ...eitherSide
}
