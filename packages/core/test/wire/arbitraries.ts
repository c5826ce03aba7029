import { EventJournal } from "effect/eventlog"
import fc from "fast-check"
import {
  ErrorCode,
  ErrorReason,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted
} from "../../src/wire/index.ts"

type Arbitraries<M extends { readonly _tag: string }> = {
  readonly [Tag in M["_tag"]]: fc.Arbitrary<Extract<M, { readonly _tag: Tag }>>
}

/** Whether counts are large, for runs where time is no object. */
export const isLong = process.env.EVENTLOG_TEST_LONG !== undefined

/** Runs of a property: few by default, fifty times as many in a long run. */
export const runs = (few: number): { readonly numRuns: number } => ({
  numRuns: isLong ? few * 50 : few
})

const edges = [0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER]

const natural = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(...edges))

// Every code point but the surrogates, in lengths on both sides of what encoders treat as short.
const text = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "binary", minLength: 30, maxLength: 300 }))

const binary = fc.oneof(fc.uint8Array(), fc.uint8Array({ minLength: 250, maxLength: 600 }))

const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 })

// Decoded messages are plain objects.
const plain = { noNullPrototype: true } as const

/** An entry with any fields that the protocol can carry. */
export const entry: fc.Arbitrary<EventJournal.Entry> = fc
  .record({ id: uuid, event: text, primaryKey: text, payload: binary })
  .map((fields) => new EventJournal.Entry({ ...fields, id: fields.id as EventJournal.EntryId }))

/** An entry with a sequence. */
export const remoteEntry: fc.Arbitrary<EventJournal.RemoteEntry> = fc
  .record({ remoteSequence: natural, entry })
  .map((fields) => new EventJournal.RemoteEntry(fields))

/** Those that every server announced. */
const firstLimits = [
  "maxFrameBytes",
  "maxMessageBytes",
  "maxChunkedMessages",
  "maxBatchEntries",
  "maxEntryBytes",
  "maxEventBytes",
  "maxPrimaryKeyBytes",
  "maxClockSkewMillis",
  "maxPendingWrites",
  "maxInboundBytes",
  "maxSubscriptions"
] as const

const limits = fc.record(
  {
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
    maxSubscriptions: natural,
    maxInboundFrames: natural,
    maxKeys: natural
  },
  { ...plain, requiredKeys: [...firstLimits] }
)

const eitherSide = {
  Ping: fc.record({ _tag: fc.constant("Ping"), id: natural }, plain),
  Pong: fc.record(
    { _tag: fc.constant("Pong"), id: natural, reconnectWithin: natural },
    { ...plain, requiredKeys: ["_tag", "id"] }
  ),
  ChunkedMessage: fc.record(
    {
      _tag: fc.constant("ChunkedMessage"),
      id: natural,
      part: fc.tuple(natural, natural),
      data: binary
    },
    plain
  )
}

/** Every message of a client. */
export const requests: Arbitraries<ProtocolRequestUnencrypted> = {
  Authenticate: fc.record(
    {
      _tag: fc.constant("Authenticate"),
      publicKey: text,
      signingPublicKey: fc.uint8Array({ maxLength: 64 }),
      signature: fc.uint8Array({ maxLength: 128 }),
      algorithm: fc.string({ unit: "binary", maxLength: 16 })
    },
    plain
  ),
  WriteEntries: fc.record(
    {
      _tag: fc.constant("WriteEntries"),
      id: natural,
      publicKey: text,
      entries: fc.array(entry, { maxLength: 20 })
    },
    plain
  ),
  RequestChanges: fc.record(
    {
      _tag: fc.constant("RequestChanges"),
      publicKey: text,
      startSequence: natural,
      id: natural,
      lastEntryId: uuid,
      maxEntries: natural,
      maxBytes: natural
    },
    { ...plain, requiredKeys: ["_tag", "publicKey", "startSequence"] }
  ),
  StopChanges: fc.record(
    { _tag: fc.constant("StopChanges"), publicKey: text, id: natural },
    { ...plain, requiredKeys: ["_tag", "publicKey"] }
  ),
  ...eitherSide
}

const error = fc.record(
  {
    _tag: fc.constant("Error"),
    requestTag: text,
    id: natural,
    publicKey: text,
    code: fc.constantFrom(...ErrorCode.literals),
    reason: fc.constantFrom(...ErrorReason.literals),
    message: text,
    retryable: fc.boolean(),
    entryIds: fc.array(uuid)
  },
  { ...plain, requiredKeys: ["_tag", "requestTag", "code", "reason", "message", "retryable"] }
)

/** Every message of a server. */
export const responses: Arbitraries<ProtocolResponseUnencrypted> = {
  Hello: fc.record(
    {
      _tag: fc.constant("Hello"),
      remoteId: uuid.map((id) => id as Uint8Array as EventJournal.RemoteId),
      protocol: natural,
      limits,
      challenge: binary,
      reconnectWithin: natural
    },
    { ...plain, requiredKeys: ["_tag", "remoteId", "protocol", "limits"] }
  ),
  Authenticated: fc.record({ _tag: fc.constant("Authenticated"), publicKey: text, challenge: binary }, plain),
  Ack: fc.record({ _tag: fc.constant("Ack"), id: natural, sequenceNumbers: fc.array(natural) }, plain),
  Subscribed: fc.record(
    { _tag: fc.constant("Subscribed"), publicKey: text, id: natural, head: natural },
    { ...plain, requiredKeys: ["_tag", "publicKey", "head"] }
  ),
  Changes: fc.record(
    { _tag: fc.constant("Changes"), publicKey: text, id: natural, entries: fc.array(remoteEntry, { maxLength: 20 }) },
    { ...plain, requiredKeys: ["_tag", "publicKey", "entries"] }
  ),
  CaughtUp: fc.record(
    { _tag: fc.constant("CaughtUp"), publicKey: text, id: natural, head: natural },
    { ...plain, requiredKeys: ["_tag", "publicKey", "head"] }
  ),
  Error: error,
  ...eitherSide
}
