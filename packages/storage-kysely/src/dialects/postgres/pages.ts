import { sql } from "kysely"
import { selectKnownOfRow } from "../../database/known.ts"
import type { AcrossStores, PageRange } from "../AcrossStores.ts"
import { knownColumns, knownRow } from "./known.ts"

const pageRow = ({ from, known, limits: { maxBytes, maxEntries }, storeId }: PageRange) => [
  storeId,
  from,
  maxEntries,
  maxBytes,
  ...knownRow(known)
]

/** `AcrossStores.selectPages`. */
export const selectPages: AcrossStores["selectPages"] = (columns, tables, requests, travelling) => {
  const { entries, stores } = tables
  const candidate = sql`e.store = s.id and e.sequence >= w.from_sequence and e.sequence < w.from_sequence + w.max_entries`
  const last = sql`
    select max(sequence) from (
      select sequence, sum(bytes) over (order by sequence) as running from ${entries} as e where ${candidate}
    ) as t where sequence = w.from_sequence or running <= w.max_bytes`
  const page = sql`select ${columns} from ${entries} as e where ${candidate} and e.sequence <= (${last}) offset 0`
  return sql`
    select w.request, s.head, s.erased, s.known_id, page.* from (
      select (place - 1)::integer as request, t.w ->> 0 as store_id, (t.w ->> 1)::bigint as from_sequence,
        (t.w ->> 2)::integer as max_entries, (t.w ->> 3)::bigint as max_bytes, 
        ${knownColumns(sql`t.w`, 4)}
      from json_array_elements(${JSON.stringify(requests.map(pageRow))}::json) with ordinality as t(w, place)
      offset 0
    ) as w
    cross join lateral (
      select id, head, erased, (${selectKnownOfRow(tables, sql`s.id`)}) as known_id
      from ${stores} as s where store_id = w.store_id offset 0
    ) as s
    left join lateral (${travelling(page)}) as page on true`
}
