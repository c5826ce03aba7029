import { sql } from "kysely"
import type { Pack } from "../Pack.ts"

/**
 * `Dialect.pack`. JSON as text, whatever parser an app has set for it. Each aggregate has its own order: PostgreSQL promises
 * none of what it aggregates otherwise.
 */
export const pack: Pack = (entries) => sql`
  select '[' || string_agg(
      json_build_array(sequence, event, primary_key, author, transport_only, octet_length(payload))::text,
      ',' order by sequence
    ) || ']' as packed_entries,
    string_agg(entry_id || payload, '' order by sequence) as packed_bytes
  from (${entries}) as unpacked`
