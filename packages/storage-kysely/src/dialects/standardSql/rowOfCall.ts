import { sql } from "kysely"
import { selectKnownOfRow } from "../../database/known.ts"
import type { Tables } from "../../schema/tables.ts"
import type { LeaseCallSql } from "../StoreUpdates.ts"

/**
 * A call as a row `w` of a table, for databases that make one of all calls. Its columns are `place`, the index of the call,
 * `store_id`, `token`, and `known_sequence`, `known_id` and `known_remote_id`, which may be null.
 */
export const rowOfCall = (tables: Tables): LeaseCallSql => ({
  token: sql`w.token`,
  sequence: sql`w.known_sequence`,
  holds: sql`(${selectKnownOfRow(tables, sql`s.id`)}) = w.known_id`
})
