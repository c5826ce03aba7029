import type { PageLimits } from "@eventlog-server/core"
import { type RawBuilder, sql } from "kysely"
import { type EntryColumns, entryColumns } from "./entries.ts"

/**
 * Of rows that are in order and not too many, those that fit `maxBytes` together; the first one whatever its size. The
 * database does it, so that what doesn't fit is never sent.
 */
export const withinLimits = (
  rows: RawBuilder<unknown>,
  order: RawBuilder<unknown>,
  { maxBytes }: Pick<PageLimits, "maxBytes">
): RawBuilder<EntryColumns> => sql`
  select ${entryColumns} from (
    select t.*, row_number() over (order by ${order}) as place, sum(bytes) over (order by ${order}) as running
    from (${rows}) as t
  ) as t where place = 1 or running <= ${maxBytes}`
