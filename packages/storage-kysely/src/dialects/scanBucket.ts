import { sql } from "kysely"
import type { Dialect } from "./Dialect.ts"

/** `Dialect.scanBucket` where the index with the most equal columns is taken by itself. */
export const scanEqualBucket: Dialect["scanBucket"] = ({ column, direction }, probe) => ({
  condition: sql`bucket = ${probe.bucket}
    and sequence between ${probe.fromSequence} and ${probe.toSequence} and entry_id > ${probe.afterId}`,
  order: sql`${sql.ref(column)} ${sql.raw(direction)}`
})
