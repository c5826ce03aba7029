import { sql } from "kysely"
import { toBuffer } from "../../database/values.ts"
import { type CursorRow, type LeaseCall, toCursor, type UpdateStores } from "../StoreUpdates.ts"
import { rowOfCall } from "../standardSql/rowOfCall.ts"

const noBytes = Buffer.alloc(16)

/** JSON holds no bytes, so ids come beside it, 16 bytes each. */
const pack = (calls: ReadonlyArray<LeaseCall>) => ({
  ids: Buffer.concat(calls.map(({ processed }) => (processed ? toBuffer(processed.id) : noBytes))),
  remoteIds: Buffer.concat(
    calls.map(({ processed }) => (processed?.remoteId ? toBuffer(processed.remoteId) : noBytes))
  ),
  rows: JSON.stringify(
    calls.map(({ processed, storeId, token }) => [
      storeId,
      token,
      processed?.sequence ?? null,
      processed?.remoteId === undefined ? 0 : 1
    ])
  )
})

/** `Dialect.updateStores`. What an update returns can't tell the call, but the store. */
export const updateStores: UpdateStores = async ({ run, tables }, calls, updateOf) => {
  const { set, where } = updateOf(rowOfCall(tables))
  const { ids, remoteIds, rows: json } = pack(calls)
  const { rows } = await run(sql<CursorRow & { readonly store_id: string }>`
    update ${tables.stores} as s set ${set} from (
      select value ->> 0 as store_id, value ->> 1 as token, value ->> 2 as known_sequence,
        substr(${ids}, key * 16 + 1, 16) as known_id,
        case when value ->> 3 then substr(${remoteIds}, key * 16 + 1, 16) end as known_remote_id
      from json_each(${json})
    ) as w
    where s.store_id = w.store_id and ${where} returning store_id, processed, replay_to, rewind_to`)
  const cursors = new Map(rows.map((row) => [row.store_id, toCursor(row)]))
  return new Map(
    calls.flatMap(({ storeId }, index) => {
      const cursor = cursors.get(storeId)
      return cursor === undefined ? [] : [[index, cursor] as const]
    })
  )
}
