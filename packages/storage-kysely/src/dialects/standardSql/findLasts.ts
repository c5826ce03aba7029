import { type RawBuilder, sql } from "kysely"
import type { Tables } from "../../schema/tables.ts"
import type { BucketEnds, LastRow } from "../BucketEnds.ts"
import { spanBefore } from "./spans.ts"

/** What lies between two buckets, both included, or without the last one where all lies before it. */
interface Bounds {
  readonly first: RawBuilder<Uint8Array>
  readonly last: RawBuilder<Uint8Array>
  readonly isBefore: boolean
}

/** The last entry of a store between bounds, in the order of buckets and sequences, as a table `e` and a condition. */
export interface LastBetween {
  readonly table: RawBuilder<unknown>
  readonly condition: RawBuilder<unknown>
}

/** Finds the last entry of a store between bounds by one step into an index; no row where there is none. */
export type FindLast = (tables: Tables, store: number, bounds: Bounds) => LastBetween

/** Buckets that a statement finds at most. */
const maxBuckets = 1_000

/**
 * `BucketEnds.findLasts` where a step of a recursion reads no more than it has to: it goes from the end of a bucket to the end
 * of the one before.
 */
export const findLastsByRecursion =
  (findLast: FindLast): BucketEnds["findLasts"] =>
  async ({ connection, tables }, store, spans) => {
    const [span, ...rest] = spans
    if (span === undefined) return { lasts: [], rest: [] }
    const first = sql.val(span.first)
    const start = findLast(tables, store, { first, last: sql.val(span.last), isBefore: false })
    const step = findLast(tables, store, { first, last: sql`found.bucket`, isBefore: true })
    const { rows: lasts } = await sql<LastRow>`
      with recursive found(bucket, sequence, event, primary_key, bytes, place) as (
        select e.bucket, e.sequence, e.event, e.primary_key, e.bytes, 1
        from ${start.table} where ${start.condition}
        union all
        select e.bucket, e.sequence, e.event, e.primary_key, e.bytes, found.place + 1
        from found cross join ${step.table} where found.place < ${maxBuckets} and ${step.condition}
      ) select bucket, sequence, event, primary_key, bytes from found`.execute(connection)
    const end = lasts.at(-1)
    if (end === undefined || lasts.length < maxBuckets) return { lasts, rest }
    return { lasts, rest: [...spanBefore(Buffer.from(end.bucket), span), ...rest] }
  }
