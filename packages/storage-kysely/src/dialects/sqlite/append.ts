import { sql } from "kysely"
import { holds } from "../../database/known.ts"
import { toNumber } from "../../database/values.ts"
import { packEntries } from "../standardSql/packEntries.ts"
import type { Writes } from "../Writes.ts"

/**
 * One statement: it takes the write lock when it begins and commits when it ends, so nobody ever waits for a transaction
 * that this process has open. A trigger moves the head. Where all payloads are empty, `substr` is null.
 */
export const append: Writes["append"] = async ({ connection, tables }, { entries: newEntries, known, storeId }) => {
  const { entries, stores } = tables
  const ifHeld = known === undefined ? sql`` : sql`and ${holds(tables, sql`s.id`, known)}`
  const packed = packEntries([newEntries])
  const { rows } = await sql<{ readonly sequence: number }>`
    insert into ${entries} (
      store, sequence, entry_id, bucket, event, primary_key, author, transport_only, bytes, payload
    )
    select s.id, s.head + row_number() over (order by place), entry_id, bucket, entry ->> 0, entry ->> 1, entry ->> 2,
      entry ->> 3, entry ->> 4, coalesce(substr(${packed.payloads}, (entry ->> 5) + 1, entry ->> 6), x'')
    from (
      select key as place, value as entry,
        substr(${packed.ids}, key * 16 + 1, 16) as entry_id, substr(${packed.buckets}, key * 16 + 1, 16) as bucket
      from json_each(${packed.rows})
    ) as given
    join ${stores} as s on s.store_id = ${storeId} and s.erased = 0 ${ifHeld}
    where not exists (select 1 from ${entries} as e where e.store = s.id and e.entry_id = given.entry_id)
    order by place
    returning sequence`.execute(connection)
  if (rows.length === 0) return undefined
  return { last: rows.reduce((last, { sequence }) => Math.max(last, toNumber(sequence)), 0), count: rows.length }
}
