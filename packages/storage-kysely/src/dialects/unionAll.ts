import { sql } from "kysely"
import type { Dialect, Probe, ProbeSql } from "./Dialect.ts"

const valuesOf = ({ afterId, bucket, fromSequence, maxTransportOnly, toSequence }: Probe): ProbeSql => ({
  bucket: sql.val(bucket),
  fromSequence: sql.val(fromSequence),
  toSequence: sql.val(toSequence),
  afterId: sql.val(afterId),
  maxTransportOnly: sql.val(maxTransportOnly)
})

/** `Dialect.forEachProbe` where a select can't depend on a row beside it: one select for each, put together. */
export const unionAll: Dialect["forEachProbe"] = (probes, select) =>
  sql.join(
    probes.map(
      (probe, index) => sql`select ${sql.lit(index)} as probe, found.* from (${select(valuesOf(probe))}) as found`
    ),
    sql` union all `
  )
