import { sql } from "kysely"
import type { BucketEnds } from "../BucketEnds.ts"
import type { Buckets } from "../Buckets.ts"
import type { Probe } from "../Probe.ts"
import { findPlacesBy } from "../standardSql/buckets.ts"
import { type FindLast, findLastsByRecursion } from "../standardSql/findLasts.ts"

const probeRow = ({ afterId, bucket, fromSequence, maxTransportOnly, toSequence }: Probe) => [
  bucket.toString("hex"),
  fromSequence,
  toSequence,
  afterId.toString("hex"),
  maxTransportOnly
]

const forEachProbe: Buckets["forEachProbe"] = (probes, select) => {
  const found = select({
    index: sql`p.probe`,
    bucket: sql`p.bucket`,
    fromSequence: sql`p.from_sequence`,
    toSequence: sql`p.to_sequence`,
    afterId: sql`p.after_id`,
    maxTransportOnly: sql`p.max_transport_only`
  })
  return sql`
    select found.* from (
      select (place - 1)::integer as probe, decode(t.probe ->> 0, 'hex') as bucket,
        (t.probe ->> 1)::bigint as from_sequence, (t.probe ->> 2)::bigint as to_sequence,
        decode(t.probe ->> 3, 'hex') as after_id, (t.probe ->> 4)::smallint as max_transport_only
      from json_array_elements(${JSON.stringify(probes.map(probeRow))}::json) with ordinality as t(probe, place)
      offset 0
    ) as p cross join lateral (${found}) as found`
}

/**
 * Ranges of rows instead of an equal bucket, and calculations instead of the other column: else the primary key and the
 * index of ids have the order, or a range, too, and the planner walks through the whole store along them where it expects
 * few rows.
 */
const scan: Buckets["scan"] = ({ column, direction }, probe) => {
  const { afterId, bucket, fromSequence, toSequence } = probe
  const condition =
    column === "sequence"
      ? sql`(bucket, sequence) >= (${bucket}, ${fromSequence}) and (bucket, sequence) <= (${bucket}, ${toSequence})
          and entry_id || '' > ${afterId}`
      : sql`(bucket, entry_id) > (${bucket}, ${afterId}) and bucket <= ${bucket}
          and sequence + 0 between ${fromSequence} and ${toSequence}`
  const towards = sql.raw(direction)
  return { condition, order: sql`bucket ${towards}, ${sql.ref(column)} ${towards}` }
}

/**
 * The last entry up to there, of whichever bucket: what has one bound only is expected to be much, and the planner
 * finds the end of much along the index that has it in order, whatever it knows of the table. Between two bounds it expects
 * few rows, and sorts all that a bucket holds. Sequences are hidden from it in the index of ids for the same reason.
 */
const selectLast: BucketEnds["selectLast"] =
  (entries, store, { column, toId }) =>
  ({ bucket, toSequence }, columns) => {
    const upTo =
      column === "sequence"
        ? sql`(store, bucket, sequence) <= (${store}, ${bucket}, ${toSequence})`
        : sql`(store, bucket, entry_id) <= (${store}, ${bucket}, ${toId})
          and case when sequence <= ${toSequence} then true else false end`
    return sql`
    select ${columns} from (
      select store, bucket, sequence, entry_id, bytes from ${entries} where ${upTo}
      order by store desc, bucket desc, ${sql.ref(column)} desc limit 1
    ) as found where store = ${store} and bucket = ${bucket}`
  }

/** Behind the sequences of every bucket, and before them. */
const [behindAll, beforeAll] = [sql.lit(Number.MAX_SAFE_INTEGER), sql.lit(0)]

/** As with `selectLast`: one bound, and what lies behind the other is dropped. */
const findLast: FindLast = ({ entries }, store, { first, isBefore, last }) => ({
  table: sql`lateral (
    select store, bucket, sequence, event, primary_key, bytes from ${entries}
    where (store, bucket, sequence) <= (${store}, ${last}, ${isBefore ? beforeAll : behindAll})
    order by store desc, bucket desc, sequence desc limit 1
  ) as e`,
  condition: sql`e.store = ${store} and e.bucket >= ${first}`
})

/** One by one: of a list, in a table that grows, the planner made scans of the whole store. */
const selectAt: Buckets["selectAt"] = (columns, entries, store, sequences) => sql`
  select found.* from json_array_elements_text(${JSON.stringify(sequences)}::json) as wanted(sequence)
  cross join lateral (
    select ${columns} from ${entries} as e where e.store = ${store} and e.sequence = wanted.sequence::bigint offset 0
  ) as found`

/** `Dialect.buckets`. */
export const buckets: Buckets = {
  maxProbes: 10_000,
  forEachProbe,
  findPlaces: findPlacesBy(forEachProbe),
  scan,
  selectAt,
  ends: { findLasts: findLastsByRecursion(findLast), selectLast }
}
