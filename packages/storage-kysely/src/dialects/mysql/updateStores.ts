import { type RawBuilder, sql } from "kysely"
import { toBuffer } from "../../database/values.ts"
import { type CursorRow, type LeaseCall, toCursor, type UpdateStores } from "../StoreUpdates.ts"
import { rowOfCall } from "../standardSql/rowOfCall.ts"

const toRow = ({ processed, storeId, token }: LeaseCall, place: number) => sql`
  select ${place} as place, ${storeId} as store_id, ${token} as token, ${processed?.sequence ?? null} as known_sequence,
    ${processed ? toBuffer(processed.id) : null} as known_id,
    ${processed?.remoteId ? toBuffer(processed.remoteId) : null} as known_remote_id`

/** Calls as a table `w`. */
const tableOf = (calls: ReadonlyArray<RawBuilder<unknown>>) => sql`(${sql.join(calls, sql` union all `)}) as w`

/**
 * `Dialect.updateStores`. An update can't pass over rows that somebody holds, so they are locked by a select before, at
 * `read committed`, which keeps no locks of rows that don't meet the condition. The update then goes from one call to the
 * next, and to its row by the index: it would wait for any other row that it read.
 */
export const updateStores: UpdateStores = ({ connection, tables }, calls, updateOf) =>
  connection
    .transaction()
    .setIsolationLevel("read committed")
    .execute(async (transaction) => {
      const { set, where } = updateOf(rowOfCall(tables))
      const { rows } = await sql<CursorRow & { readonly place: number }>`
        select w.place, s.processed, s.replay_to, s.rewind_to from ${tableOf(calls.map(toRow))}
        straight_join ${tables.stores} as s on s.store_id = w.store_id
        where ${where} for update skip locked`.execute(transaction)
      if (rows.length > 0) {
        const locked = rows.map(({ place }) => toRow(calls[place]!, place))
        await sql`update ${tableOf(locked)} straight_join ${tables.stores} as s on s.store_id = w.store_id
          set ${set}`.execute(transaction)
      }
      return new Map(rows.map((row) => [row.place, toCursor(row)]))
    })
