import type { FeedRecord } from "@eventlog-server/core"
import { entryBytes } from "@eventlog-server/core/protocol"
import type { Batch } from "../dialects/Dialect.ts"
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

/** Packs records whose ids differ. */
export const packBatch = (records: ReadonlyArray<FeedRecord>): Batch => {
  let offset = 0
  const rows = records.map(({ author, entry, transportOnly }) => {
    const { event, payload, primaryKey } = entry
    const row = [event, primaryKey, author, transportOnly ? 1 : 0, entryBytes(entry), offset, payload.byteLength]
    offset += payload.byteLength
    return row
  })
  return {
    size: records.length,
    ids: Buffer.concat(records.map(({ entry }) => entry.id)),
    buckets: Buffer.concat(records.map(({ entry }) => bucketOf(entry.event, entry.primaryKey))),
    payloads: Buffer.concat(records.map(({ entry }) => entry.payload)),
    rows: JSON.stringify(rows)
  }
}
