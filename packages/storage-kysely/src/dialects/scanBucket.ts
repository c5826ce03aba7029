import { sql } from "kysely"
import type { Dialect } from "./Dialect.ts"

/** `Dialect.scanBucket` where the index with the most equal columns is taken by itself. */
export const scanEqualBucket: Dialect["scanBucket"] = ({ column, direction }, probe) => ({
  condition: sql`bucket = ${probe.bucket}`,
  order: sql`${sql.ref(column)} ${sql.raw(direction)}`
})
