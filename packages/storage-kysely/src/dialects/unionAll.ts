import { sql } from "kysely"
import type { Dialect, Probe, ProbeSql } from "./Dialect.ts"

const valuesOf = ({ afterId, bucket, fromSequence, maxTransportOnly, toSequence }: Probe, index: number): ProbeSql => ({
  index: sql.lit(index),
  bucket: sql.val(bucket),
  fromSequence: sql.val(fromSequence),
  toSequence: sql.val(toSequence),
  afterId: sql.val(afterId),
  maxTransportOnly: sql.val(maxTransportOnly)
})

/**
 * `Dialect.forEachProbe` where a select can't depend on a row beside it: one select for each, put together, and no select
 * around any of them, which would be a temporary table for each.
 */
export const unionAll: Dialect["forEachProbe"] = (probes, select) =>
  sql.join(
    probes.map((probe, index) => sql`(${select(valuesOf(probe, index))})`),
    sql` union all `
  )
