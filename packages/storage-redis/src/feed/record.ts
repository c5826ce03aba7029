import type { FeedEntry, FeedRecord } from "@eventlog-server/core/backend"
import { entryBytes } from "@eventlog-server/core/backend"
import { EventJournal } from "effect/eventlog"

/*
 * An entry in a stream is one field. Its bytes: what it weighs against a page's limit (4), its id (16), flags (1), then
 * the lengths of event, primary key and author (4 each), these three in UTF-8, and the payload. Scripts read the first 21.
 */
const idAt = 4
const flagsAt = 20
const lengthsAt = 21
const textAt = 33

const isTransportOnly = 1
const isServerAuthored = 2

/** The bytes that `writeRecord` needs, at most: a UTF-16 unit has up to three in UTF-8. */
export const maxRecordBytes = ({ author, entry }: FeedRecord): number =>
  textAt + 3 * (entry.event.length + entry.primaryKey.length + (author?.length ?? 0)) + entry.payload.byteLength

const writeText = (text: string, buffer: Buffer, lengthAt: number, offset: number): number => {
  const bytes = buffer.write(text, offset)
  buffer.writeUInt32BE(bytes, lengthAt)
  return offset + bytes
}

/** Writes a record into a buffer at `offset`; returns the end of it. */
export const writeRecord = ({ author, entry, transportOnly }: FeedRecord, buffer: Buffer, offset: number): number => {
  buffer.writeUInt32BE(entryBytes(entry), offset)
  buffer.set(entry.id, offset + idAt)
  buffer[offset + flagsAt] = (transportOnly ? isTransportOnly : 0) | (author === null ? isServerAuthored : 0)
  const lengths = offset + lengthsAt
  let end = writeText(entry.event, buffer, lengths, offset + textAt)
  end = writeText(entry.primaryKey, buffer, lengths + 4, end)
  end = writeText(author ?? "", buffer, lengths + 8, end)
  buffer.set(entry.payload, end)
  return end + entry.payload.byteLength
}

/** Reads a record. The bytes of the answer are a copy: ioredis hands out views of what it received. */
export const readRecord = (sequence: number, stored: Buffer): FeedEntry => {
  const flags = stored[flagsAt]!
  const eventEnd = textAt + stored.readUInt32BE(lengthsAt)
  const primaryKeyEnd = eventEnd + stored.readUInt32BE(lengthsAt + 4)
  const authorEnd = primaryKeyEnd + stored.readUInt32BE(lengthsAt + 8)
  return {
    remoteSequence: sequence,
    author: flags & isServerAuthored ? null : stored.toString("utf8", primaryKeyEnd, authorEnd),
    transportOnly: (flags & isTransportOnly) !== 0,
    // Any option makes effect's constructor four times slower.
    entry: new EventJournal.Entry({
      id: Uint8Array.from(stored.subarray(idAt, flagsAt)) as EventJournal.EntryId,
      event: stored.toString("utf8", textAt, eventEnd),
      primaryKey: stored.toString("utf8", eventEnd, primaryKeyEnd),
      payload: Uint8Array.from(stored.subarray(authorEnd))
    })
  }
}
