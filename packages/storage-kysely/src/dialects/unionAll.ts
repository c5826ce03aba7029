import { type RawBuilder, sql } from "kysely"
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
 * `Dialect.forEachProbe` where a select can't depend on a row beside it: one select for each, put together. `enclose` is
 * how a select with an order and a limit of its own becomes a part of a union.
 */
export const unionAll =
  (enclose: <Row>(select: RawBuilder<Row>) => RawBuilder<Row>): Dialect["forEachProbe"] =>
  <Row>(probes: ReadonlyArray<Probe>, select: (probe: ProbeSql) => RawBuilder<Row>) =>
    sql<Row>`${sql.join(
      probes.map((probe, index) => enclose(select(valuesOf(probe, index)))),
      sql` union all `
    )}`
