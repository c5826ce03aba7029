import type { EventJournal } from "effect/eventlog"
import { entryBytes, exceedsBytes } from "../wire/fields.ts"
import type { AnnouncedLimits } from "../wire/index.ts"
import { entryCost, frameCost } from "../wire/limits.ts"
import { RemoteRefusal } from "./errors.ts"

type Entry = EventJournal.Entry
type Limits = Pick<
  AnnouncedLimits,
  "maxBatchEntries" | "maxEntryBytes" | "maxEventBytes" | "maxMessageBytes" | "maxPrimaryKeyBytes"
>

/** Bytes of a batch of small entries: enough to be efficient, few enough for several to be under way. */
const batchBytes = 256 * 1024
/** What a message and each of its entries have besides the entries' contents, at most. */
const overheadBytes = 96

/** Bytes that an entry takes in a message, at most: a UTF-16 unit has at most three bytes of UTF-8. */
const wireBytes = (entry: Entry): number =>
  entry.payload.byteLength + 3 * (entry.event.length + entry.primaryKey.length) + overheadBytes

/** What a batch counts against `maxInboundBytes`, at most: its bytes in a message, and what its objects cost the server. */
export const batchWeight = (batch: ReadonlyArray<Entry>): number =>
  batch.reduce((bytes, entry) => bytes + wireBytes(entry) + entryCost, overheadBytes + frameCost)

/** Refuses an entry that no message to this server can carry, as the server would. */
export const refuseUnsendable = (entry: Entry, limits: Limits): RemoteRefusal | undefined => {
  // UTF-8 has no lone surrogates: sent, they would become other text, or make the whole message unreadable.
  if (!entry.event.isWellFormed() || !entry.primaryKey.isWellFormed()) {
    return refusal(entry, "BadEntry", "Neither an event name nor a primary key may hold a lone surrogate")
  }
  // Text far beyond these bounds keeps the server from reading the message, and so from naming the entry.
  if (exceedsBytes(entry.event, limits.maxEventBytes)) {
    return refusal(entry, "Limit", `An event name may have ${limits.maxEventBytes} bytes`)
  }
  if (exceedsBytes(entry.primaryKey, limits.maxPrimaryKeyBytes)) {
    return refusal(entry, "Limit", `A primary key may have ${limits.maxPrimaryKeyBytes} bytes`)
  }
  const fits = entryBytes(entry) <= limits.maxEntryBytes && overheadBytes + wireBytes(entry) <= limits.maxMessageBytes
  return fits ? undefined : refusal(entry, "Limit", `An entry may have ${limits.maxEntryBytes} bytes`)
}

const refusal = (entry: Entry, reason: "BadEntry" | "Limit", message: string): RemoteRefusal =>
  new RemoteRefusal({
    requestTag: "WriteEntries",
    code: "InvalidRequest",
    reason,
    message,
    retryable: false,
    entryIds: [entry.id]
  })

/** Splits entries, in their order, into batches that the server takes. Every entry must fit by itself. */
export const splitBacklog = (entries: ReadonlyArray<Entry>, limits: Limits): ReadonlyArray<ReadonlyArray<Entry>> => {
  const most = Math.min(batchBytes, limits.maxMessageBytes)
  const batches: Array<Array<Entry>> = []
  let batch: Array<Entry> = []
  let bytes = overheadBytes
  for (const entry of entries) {
    const size = wireBytes(entry)
    if (batch.length > 0 && (bytes + size > most || batch.length >= limits.maxBatchEntries)) {
      batches.push(batch)
      batch = []
      bytes = overheadBytes
    }
    batch.push(entry)
    bytes += size
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}
