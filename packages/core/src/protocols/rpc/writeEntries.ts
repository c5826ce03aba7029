import { Effect, Result, Schema } from "effect"
import { EventJournal, EventLogMessage } from "effect/eventlog"
import type { RequestError } from "../../wire/errors.ts"
import { equalBytes, otherLayout } from "./layout.ts"
import { WriteReader } from "./WriteReader.ts"

const { Entry } = EventJournal
const { StoreId, WriteEntriesUnencrypted } = EventLogMessage

/** Entries after which everybody else may go on; they take about a millisecond. */
const stepEntries = 500

/** A write of effect's client. */
export interface Write {
  readonly publicKey: string
  readonly storeId: EventLogMessage.StoreId
  readonly entries: ReadonlyArray<EventJournal.Entry>
}

/**
 * Decodes a write of effect's client, `WriteEntriesUnencrypted` in SchemaBinary, in one piece or put together from chunks.
 * It yields after every 500 entries or MiB, whichever comes first. Fails with a `RequestError`: "Limit" where there are more
 * than `maxEntries` entries, which is known before any is decoded, or "Malformed". It begins when it is called: a write that
 * takes no more than one step is decoded then.
 */
export const decodeWrite = (bytes: Uint8Array, maxEntries: number): Effect.Effect<Write, RequestError> => {
  const reader = WriteReader.open(bytes, maxEntries)
  return Result.isFailure(reader) ? Effect.fail(reader.failure) : readOn(reader.success, [])
}

const readOn = (reader: WriteReader, entries: Array<EventJournal.Entry>): Effect.Effect<Write, RequestError> => {
  const step = reader.next(stepEntries)
  if (Result.isFailure(step)) return Effect.fail(step.failure)
  entries.push(...step.success)
  const { isDone, publicKey, storeId } = reader
  if (isDone) return Effect.succeed({ publicKey, storeId, entries })
  return Effect.andThen(
    Effect.yieldNow,
    Effect.suspend(() => readOn(reader, entries))
  )
}

const encodeWrite = Schema.encodeUnknownSync(WriteEntriesUnencrypted.FromSchemaBinary)

/** Throws unless what effect's own encoder makes of a write is read here as what it was. */
export const checkWriteLayout = (encode: (write: unknown) => Uint8Array = encodeWrite): void => {
  const bytes = encode(sample)
  const read = WriteReader.open(bytes, sample.entries.length)
  const entries = Result.flatMap(read, (reader) => reader.next(sample.entries.length))
  if (Result.isFailure(read) || Result.isFailure(entries) || !isSample(read.success, entries.success)) {
    throw otherLayout("the writes of its event log")
  }
}

const sampleEntry = (byte: number, event: string, primaryKey: string) =>
  new Entry({
    id: new Uint8Array(16).fill(byte) as EventJournal.EntryId,
    event,
    primaryKey,
    payload: new Uint8Array(byte)
  })

/** Names that are new, and names that stood in a former entry. */
const sample = new WriteEntriesUnencrypted({
  publicKey: "a public key",
  storeId: StoreId.make("a store"),
  entries: [sampleEntry(1, "one", "a"), sampleEntry(0, "two", "a"), sampleEntry(200, "one", "b")]
})

const isSample = ({ publicKey, storeId }: WriteReader, entries: ReadonlyArray<EventJournal.Entry>): boolean =>
  publicKey === sample.publicKey &&
  storeId === sample.storeId &&
  sample.entries.every((expected, index) => isSame(entries[index], expected))

const isSame = (read: EventJournal.Entry | undefined, expected: EventJournal.Entry): boolean =>
  read !== undefined &&
  read.event === expected.event &&
  read.primaryKey === expected.primaryKey &&
  equalBytes(read.id, expected.id) &&
  equalBytes(read.payload, expected.payload)
