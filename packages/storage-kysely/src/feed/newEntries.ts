import type { FeedRecord } from "@eventlog-server/core"
import { entryBytes } from "@eventlog-server/core/protocol"
import { toBuffer } from "../database/values.ts"
import type { NewEntry } from "../dialects/Dialect.ts"
import { bucketOf } from "./bucketOf.ts"

/** An entry id as a key of a map. */
export const idKey = (id: Uint8Array): string => Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString("latin1")

/** The first record of each entry id, in order, by its key. */
export const firstCopies = (records: ReadonlyArray<FeedRecord>): ReadonlyMap<string, FeedRecord> => {
  const copies = new Map<string, FeedRecord>()
  for (const record of records) {
    const key = idKey(record.entry.id)
    if (!copies.has(key)) copies.set(key, record)
  }
  return copies
}

/** A record as dialects take it. */
export const toNewEntry = ({ author, entry, transportOnly }: FeedRecord): NewEntry => ({
  id: toBuffer(entry.id),
  bucket: bucketOf(entry.event, entry.primaryKey),
  event: entry.event,
  primaryKey: entry.primaryKey,
  author,
  transportOnly: transportOnly ? 1 : 0,
  bytes: entryBytes(entry),
  payload: toBuffer(entry.payload)
})
