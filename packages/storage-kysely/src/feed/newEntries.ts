import { hash } from "node:crypto"
import { bucketName, entryBytes, type FeedRecord } from "@eventlog-server/core/backend"
import { toBuffer } from "../database/values.ts"
import type { NewEntry } from "../dialects/Writes.ts"
import { idKey } from "./ids.ts"

/** The first record of each entry id, in order, by its key. */
export const firstCopies = (records: ReadonlyArray<FeedRecord>): ReadonlyMap<string, FeedRecord> => {
  const copies = new Map<string, FeedRecord>()
  for (const record of records) {
    const key = idKey(record.entry.id)
    if (!copies.has(key)) copies.set(key, record)
  }
  return copies
}

/**
 * What the entries of an event and a primary key are found by: the first 16 bytes of a SHA-256. Names of any length have an
 * index entry of the same size so, and are told apart by their bytes on every database. An event name holds no U+0000,
 * which makes it the end of the name.
 */
export const bucketOf = (event: string, primaryKey: string): Buffer =>
  hash("sha256", bucketName(event, primaryKey), "buffer").subarray(0, 16)

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
