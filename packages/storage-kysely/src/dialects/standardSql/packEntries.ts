import type { NewEntry } from "../Writes.ts"

/** Entries packed so that a statement has the same few parameters whatever their number. */
export interface PackedEntries {
  /** The entry ids, 16 bytes each. */
  readonly ids: Buffer
  /** The buckets, 16 bytes each. */
  readonly buckets: Buffer
  /** The payloads, one behind the other. */
  readonly payloads: Buffer
  /**
   * JSON: for each entry `[event, primaryKey, author, transportOnly, bytes, offset, length, store]`. Offset and length say
   * where its payload is, in bytes from 0; the store is its index among those given.
   */
  readonly rows: string
}

/** For databases that take JSON and bytes apart by themselves: the entries of one store or several, one store after the other. */
export const packEntries = (stores: ReadonlyArray<ReadonlyArray<NewEntry>>): PackedEntries => {
  let offset = 0
  const rows = stores.flatMap((entries, store) =>
    entries.map(({ author, bytes, event, payload, primaryKey, transportOnly }) => {
      const row = [event, primaryKey, author, transportOnly, bytes, offset, payload.byteLength, store]
      offset += payload.byteLength
      return row
    })
  )
  const entries = stores.flat()
  return {
    ids: Buffer.concat(entries.map(({ id }) => id)),
    buckets: Buffer.concat(entries.map(({ bucket }) => bucket)),
    payloads: Buffer.concat(entries.map(({ payload }) => payload)),
    rows: JSON.stringify(rows)
  }
}
