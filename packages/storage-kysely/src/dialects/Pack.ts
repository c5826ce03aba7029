import type { RawBuilder } from "kysely"

/** The entries of a select in one row, in the order of their sequences. Both members are `null` where there are none. */
export interface PackedRow {
  /**
   * JSON: an array that holds for each entry `[sequence, event, primaryKey, author, transportOnly, length]`, where the length
   * is that of its payload, in bytes.
   */
  readonly packed_entries: string | null
  /** For each entry its id, 16 bytes, and behind it its payload. */
  readonly packed_bytes: Uint8Array | null
}

/**
 * Selects one row in place of those that a select of entries has: where a driver takes longer to make an object of a row
 * than the database to put values together. The order is that of sequences, whatever the order of the select.
 *
 * @param entries selects `sequence`, `entry_id`, `event`, `primary_key`, `author`, `transport_only` and `payload`
 */
export type Pack = (entries: RawBuilder<unknown>) => RawBuilder<PackedRow>
