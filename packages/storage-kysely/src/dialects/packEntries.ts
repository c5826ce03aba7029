import type { NewEntry } from "./Dialect.ts"

/** Entries packed so that a statement has the same few parameters whatever their number. */
export interface PackedEntries {
  /** The entry ids, 16 bytes each. */
  readonly ids: Buffer
  /** The buckets, 16 bytes each. */
  readonly buckets: Buffer
  /** The payloads, one behind the other. */
  readonly payloads: Buffer
  /**
   * JSON: for each entry `[event, primaryKey, author, transportOnly, bytes, offset, length]`; the last two say where its
   * payload is, in bytes from 0.
   */
  readonly rows: string
}

/** For databases that take JSON and bytes apart by themselves. */
export const packEntries = (entries: ReadonlyArray<NewEntry>): PackedEntries => {
  let offset = 0
  const rows = entries.map(({ author, bytes, event, payload, primaryKey, transportOnly }) => {
    const row = [event, primaryKey, author, transportOnly, bytes, offset, payload.byteLength]
    offset += payload.byteLength
    return row
  })
  return {
    ids: Buffer.concat(entries.map(({ id }) => id)),
    buckets: Buffer.concat(entries.map(({ bucket }) => bucket)),
    payloads: Buffer.concat(entries.map(({ payload }) => payload)),
    rows: JSON.stringify(rows)
  }
}
