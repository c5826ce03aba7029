import { sql } from "kysely"
import { type CursorRow, type LeaseCall, toCursor, type UpdateStores } from "../StoreUpdates.ts"
import { rowOfCall } from "../standardSql/rowOfCall.ts"
import { knownColumns, knownRow } from "./known.ts"

const jsonOf = (calls: ReadonlyArray<LeaseCall>): string =>
  JSON.stringify(calls.map(({ processed, storeId, token }) => [storeId, token, ...knownRow(processed)]))

/** `Dialect.updateStores`. The rows are locked first, and only those that nobody holds: so two of these can't wait for each other. */
export const updateStores: UpdateStores = async ({ run, tables }, calls, updateOf) => {
  const { set, where } = updateOf(rowOfCall(tables))
  const { rows } = await run(sql<CursorRow & { readonly place: number }>`
    with held as materialized (
      select s.id, w.* from (
        select (place - 1)::integer as place, t.w ->> 0 as store_id, t.w ->> 1 as token, ${knownColumns(sql`t.w`, 2)}
        from json_array_elements(${jsonOf(calls)}::json) with ordinality as t(w, place)
      ) as w
      cross join lateral (
        select id from ${tables.stores} as s where s.store_id = w.store_id and ${where} for no key update skip locked
      ) as s
    )
    update ${tables.stores} as s set ${set} from held as w where s.id = w.id returning w.place, s.processed, s.replay_to, s.rewind_to`)
  return new Map(rows.map((row) => [row.place, toCursor(row)]))
}
