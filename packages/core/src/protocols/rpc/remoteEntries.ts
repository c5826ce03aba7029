import { Schema } from "effect"
import { EventJournal, EventLogMessage } from "effect/eventlog"
import type { FeedEntry } from "../../backend/FeedStore.ts"
import { ByteWriter, sizedBytes, textBytes, unsignedBytes } from "./ByteWriter.ts"
import { equalBytes, otherLayout } from "./layout.ts"
import { evolvable, fieldIds } from "./structFields.ts"

/** The number of a row that names its fields, and of one that has those of the first row. */
const [namesFields, likeTheFirst] = [0, 1]

const unsigned = (value: number): Uint8Array => {
  const writer = new ByteWriter(unsignedBytes(value))
  writer.unsigned(value)
  return writer.bytes
}

/** What stands before a field of an entry: all of them have a length. */
const tagOf = (id: number): Uint8Array => unsigned(id * 8)
const payloadTag = tagOf(fieldIds.payload)
const idTag = tagOf(fieldIds.id)
const primaryKeyTag = tagOf(fieldIds.primaryKey)
const eventTag = tagOf(fieldIds.event)
const tagBytes = payloadTag.length + idTag.length + primaryKeyTag.length + eventTag.length

/** What stands before the fields of the first row. */
const entryName = unsigned(fieldIds.entry)
const sequenceName = unsigned(fieldIds.remoteSequence)

/** An entry with its sequence, and how many bytes its parts take. */
interface Row {
  readonly entry: EventJournal.Entry
  readonly primaryKeyBytes: number
  readonly eventBytes: number
  /** Of the fields of the entry. */
  readonly entryBytes: number
  /** The sequence as it is written: the lowest bit of a number is its sign. */
  readonly sequence: number
  readonly sequenceBytes: number
  /** Of everything, without the length before it. */
  readonly bytes: number
}

const toRow = ({ entry, remoteSequence }: FeedEntry, index: number): Row => {
  const primaryKeyBytes = textBytes(entry.primaryKey)
  const eventBytes = textBytes(entry.event)
  const sizes = [entry.payload.length, entry.id.length, primaryKeyBytes, eventBytes]
  const entryBytes = sizes.reduce((sum, size) => sum + sizedBytes(size), tagBytes)
  const sequence = remoteSequence * 2
  const sequenceBytes = unsignedBytes(sequence)
  const nameBytes = index === 0 ? entryName.length + sequenceName.length : 0
  // A field of a row says twice its length, since it might be a reference to a former one.
  const bytes =
    1 + nameBytes + unsignedBytes(entryBytes * 2) + entryBytes + unsignedBytes(sequenceBytes * 2) + sequenceBytes
  return { entry, primaryKeyBytes, eventBytes, entryBytes, sequence, sequenceBytes, bytes }
}

const writeRow = (writer: ByteWriter, row: Row, index: number): void => {
  writer.unsigned(row.bytes)
  writer.unsigned(index === 0 ? namesFields : likeTheFirst)
  if (index === 0) writer.raw(entryName)
  writer.unsigned(row.entryBytes * 2)
  writeEntry(writer, row)
  if (index === 0) writer.raw(sequenceName)
  writer.unsigned(row.sequenceBytes * 2)
  writer.unsigned(row.sequence)
}

const writeEntry = (writer: ByteWriter, { entry, eventBytes, primaryKeyBytes }: Row): void => {
  writer.raw(payloadTag)
  writer.sized(entry.payload)
  writer.raw(idTag)
  writer.sized(entry.id)
  writer.raw(primaryKeyTag)
  writer.text(entry.primaryKey, primaryKeyBytes)
  writer.raw(eventTag)
  writer.text(entry.event, eventBytes)
}

/**
 * Encodes the entries of a page, at least one: the bytes that effect's own codec (`ChangesRpc.encodeUnencrypted`) makes of
 * them. Knowing their shape is faster than asking a schema about each.
 */
export const encodeRemoteEntries = (entries: ReadonlyArray<FeedEntry>): Uint8Array<ArrayBuffer> => {
  const rows = entries.map(toRow)
  const length = rows.reduce((sum, { bytes }) => sum + sizedBytes(bytes), 1 + unsignedBytes(rows.length))
  const writer = new ByteWriter(sizedBytes(length))
  writer.unsigned(length)
  writer.unsigned(evolvable)
  writer.unsigned(rows.length)
  for (const [index, row] of rows.entries()) writeRow(writer, row, index)
  return writer.bytes
}

const encodeByEffect = Schema.encodeUnknownSync(EventLogMessage.ChangesRpc.UnencryptedFromSchemaBinary)

/** Throws unless effect's own encoder makes of entries what is made of them here. */
export const checkPageLayout = (
  encode: (entries: ReadonlyArray<EventJournal.RemoteEntry>) => Uint8Array = encodeByEffect
): void => {
  const encoded = encode(sample.map((entry) => new EventJournal.RemoteEntry(entry)))
  if (!equalBytes(encoded, encodeRemoteEntries(sample))) throw otherLayout("the pages of its event log")
}

const sampleEntry = (remoteSequence: number, primaryKey: string, payloadBytes: number): FeedEntry => ({
  remoteSequence,
  author: null,
  transportOnly: false,
  entry: new EventJournal.Entry({
    id: new Uint8Array(16).fill(remoteSequence) as EventJournal.EntryId,
    event: "an event",
    primaryKey,
    payload: new Uint8Array(payloadBytes)
  })
})

/** Small and big numbers, names that stand in a former entry, and one that isn't ASCII. */
const sample = [sampleEntry(1, "a", 0), sampleEntry(63, "a", 200), sampleEntry(2 ** 53 - 1, "ä€", 3)]
