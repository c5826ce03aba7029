import type { FeedEntry } from "@eventlog-server/core/backend"
import { EventJournal } from "effect/eventlog"
import { type RawBuilder, sql } from "kysely"
import { ownBytes, toNumber } from "../database/values.ts"
import type { Dialect } from "../dialects/Dialect.ts"
import type { PackedRow } from "../dialects/Pack.ts"
import type { EntryRow } from "../schema/tables.ts"
import { unpack } from "./unpack.ts"

/** What a feed entry is made of. */
export type EntryColumns = Pick<
  EntryRow,
  "sequence" | "entry_id" | "event" | "primary_key" | "author" | "transport_only" | "payload"
>

/** The columns of `EntryColumns`, for a select. */
export const entryColumns = sql<EntryColumns>`sequence, entry_id, event, primary_key, author, transport_only, payload`

/** A row of a select of entries as they travel: one of several, or the only one, with all of them or without any. */
export type EntriesRow = EntryColumns | PackedRow | { readonly sequence: null }

/** Makes of a select of `entryColumns` one of what travels. */
export const travelling =
  ({ pack }: Dialect) =>
  (entries: RawBuilder<unknown>): RawBuilder<EntriesRow> =>
    pack === undefined ? (entries as RawBuilder<EntryColumns>) : pack(entries)

const isEntry = (row: EntriesRow): row is EntryColumns => "sequence" in row && row.sequence !== null

/**
 * The entries of rows. Ids are copies, and payloads share an allocation, as those of a packed row do: one for each takes as
 * long as all the rest of an entry.
 */
const fromRows = (rows: ReadonlyArray<EntryColumns>): Array<FeedEntry> => {
  const payloads = new Uint8Array(rows.reduce((size, { payload }) => size + payload.byteLength, 0))
  let end = 0
  return rows.map((row) => {
    const start = end
    end += row.payload.byteLength
    payloads.set(row.payload, start)
    return {
      remoteSequence: toNumber(row.sequence),
      author: row.author,
      transportOnly: row.transport_only !== 0,
      // Any option makes effect's constructor four times slower.
      entry: new EventJournal.Entry({
        id: ownBytes(row.entry_id) as EventJournal.EntryId,
        event: row.event,
        primaryKey: row.primary_key,
        payload: payloads.subarray(start, end)
      })
    }
  })
}

/** The entries of the rows of a select that travels. Their bytes belong to nobody else. */
export const toFeedEntries = (rows: ReadonlyArray<EntriesRow>): Array<FeedEntry> => {
  const [first] = rows
  return first !== undefined && "packed_entries" in first ? unpack(first) : fromRows(rows.filter(isEntry))
}
