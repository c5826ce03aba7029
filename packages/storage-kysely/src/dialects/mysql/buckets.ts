import { sql } from "kysely"
import type { Target } from "../../database/Target.ts"
import { toNumber } from "../../database/values.ts"
import type { BigInteger } from "../../schema/tables.ts"
import type { BucketEnds, LastRow, Span } from "../BucketEnds.ts"
import type { Buckets } from "../Buckets.ts"
import type { Probe, ProbeSql } from "../Probe.ts"
import { findPlacesBy, selectAtList } from "../standardSql/buckets.ts"
import { halvesIfWide, spanBefore } from "../standardSql/spans.ts"

const valuesOf = ({ afterId, bucket, fromSequence, maxTransportOnly, toSequence }: Probe, index: number): ProbeSql => ({
  index: sql.lit(index),
  bucket: sql.val(bucket),
  fromSequence: sql.val(fromSequence),
  toSequence: sql.val(toSequence),
  afterId: sql.val(afterId),
  maxTransportOnly: sql.val(maxTransportOnly)
})

/**
 * A select can't depend on a row beside it here: one select for each, put together, and no select around any of them,
 * which would be a temporary table for each.
 */
const unionAll: Buckets["forEachProbe"] = (probes, select) =>
  sql.join(
    probes.map((probe, index) => sql`(${select(valuesOf(probe, index))})`),
    sql` union all `
  )

/** Spans that a statement looks at, at most: each is a select. */
const maxProbes = 100

/** Where the last entry of a span is. */
interface SpanEnd {
  readonly span: Span
  readonly bucket: Buffer
  readonly sequence: BigInteger
}

/**
 * The end of a span of constants is a step into the index, if no more is selected than the index has. A step that depends on
 * the one before would read from the store's beginning, and a grouping reads along the whole store where it expects few
 * entries in a group.
 */
const findSpanEnds = async (
  { connection, tables: { entries } }: Target,
  store: number,
  spans: ReadonlyArray<Span>
): Promise<ReadonlyArray<SpanEnd>> => {
  const selects = spans.map(
    ({ first, last }, index) => sql`(
      select ${sql.lit(index)} as place, bucket, sequence from ${entries}
      where store = ${store} and bucket >= ${first} and bucket <= ${last}
      order by bucket desc, sequence desc limit 1)`
  )
  const { rows } = await sql<Pick<LastRow, "bucket" | "sequence"> & { readonly place: number }>`
    ${sql.join(selects, sql` union all `)}`.execute(connection)
  return rows.map(({ bucket, place, sequence }) => ({
    span: spans[Number(place)]!,
    bucket: Buffer.from(bucket),
    sequence
  }))
}

/** Last entries whose rows a statement fetches, about. */
const maxLasts = 1_000

/** Down from the ends of many spans at once, and then the rows that were found. */
const findLasts: BucketEnds["findLasts"] = async (target, store, spans) => {
  const sequences: Array<number> = []
  let rest = spans
  while (rest.length > 0 && sequences.length < maxLasts) {
    const ends = await findSpanEnds(target, store, rest.slice(0, maxProbes))
    for (const { sequence } of ends) sequences.push(toNumber(sequence))
    const before = ends.flatMap(({ bucket, span }) => spanBefore(bucket, span).flatMap(halvesIfWide))
    rest = [...rest.slice(maxProbes), ...before]
  }
  if (sequences.length === 0) return { lasts: [], rest }
  const columns = sql<LastRow>`bucket, sequence, event, primary_key, bytes`
  const { rows } = await selectAtList(columns, target.tables.entries, sql`${store}`, sequences).execute(
    target.connection
  )
  return { lasts: rows, rest }
}

/** The index with the most equal columns is taken by itself, where its order is a range of the last. */
const scan: Buckets["scan"] = ({ column, direction }, probe) => ({
  condition: sql`bucket = ${probe.bucket}
    and sequence between ${probe.fromSequence} and ${probe.toSequence} and entry_id > ${probe.afterId}`,
  order: sql`${sql.ref(column)} ${sql.raw(direction)}`
})

const selectLast: BucketEnds["selectLast"] =
  (entries, store, { column, toId }) =>
  (probe, columns) => {
    const { condition, order } = scan({ column, direction: "desc" }, probe)
    const upTo = column === "entry_id" ? sql`and entry_id <= ${toId}` : sql``
    return sql`
      select ${columns} from ${entries} where store = ${store} and ${condition} ${upTo} order by ${order} limit 1`
  }

/** `Dialect.buckets`. */
export const buckets: Buckets = {
  maxProbes,
  forEachProbe: unionAll,
  findPlaces: findPlacesBy(unionAll),
  scan,
  selectAt: selectAtList,
  ends: { findLasts, selectLast }
}
