import { type RawBuilder, sql } from "kysely"
import type { BucketEnds } from "../BucketEnds.ts"
import type { Buckets } from "../Buckets.ts"
import type { Probe, ProbeSql } from "../Probe.ts"
import { selectAtList } from "../standardSql/buckets.ts"
import { type FindLast, findLastsByRecursion } from "../standardSql/findLasts.ts"

const none = Buffer.alloc(16)

/** Probes as the rows of `p`, however many, so that the statement is the same and short. */
const withProbes = (probes: ReadonlyArray<Probe>): RawBuilder<unknown> => {
  const rows = probes.map(({ afterId, fromSequence, maxTransportOnly, toSequence }) => [
    fromSequence,
    toSequence,
    afterId.byteLength,
    maxTransportOnly
  ])
  const buckets = Buffer.concat(probes.map(({ bucket }) => bucket))
  const afterIds = Buffer.concat(probes.map(({ afterId }) => (afterId.byteLength === 0 ? none : afterId)))
  return sql`with p as materialized (
    select key as probe, substr(${buckets}, key * 16 + 1, 16) as bucket,
      value ->> 0 as from_sequence, value ->> 1 as to_sequence,
      substr(${afterIds}, key * 16 + 1, value ->> 2) as after_id, value ->> 3 as max_transport_only
    from json_each(${JSON.stringify(rows)})
  )`
}

const columns: ProbeSql = {
  index: sql`p.probe`,
  bucket: sql`p.bucket`,
  fromSequence: sql`p.from_sequence`,
  toSequence: sql`p.to_sequence`,
  afterId: sql`p.after_id`,
  maxTransportOnly: sql`p.max_transport_only`
}

const forEachProbe: Buckets["forEachProbe"] = (probes, select) => sql`${withProbes(probes)} ${select(columns)} from p`

/** SQLite has no lateral join, but a list of what a row's own select finds. */
const findPlaces: Buckets["findPlaces"] = (entries, store, probes, select) => sql`
  ${withProbes(probes)} select p.probe, e.sequence, e.entry_id, e.bytes from p cross join ${entries} as e
  where e.store = ${store} and e.sequence in (${select(columns, sql`sequence`)})`

/** What has a plus before it is looked up in no index: else, once it knows the table, the other index may seem to be better. */
const scan: Buckets["scan"] = ({ column, direction }, { afterId, bucket, fromSequence, toSequence }) => {
  const [sequence, id] = column === "sequence" ? [sql`sequence`, sql`+entry_id`] : [sql`+sequence`, sql`entry_id`]
  return {
    condition: sql`bucket = ${bucket} and ${sequence} between ${fromSequence} and ${toSequence} and ${id} > ${afterId}`,
    order: sql`${sql.ref(column)} ${sql.raw(direction)}`
  }
}

/** Ranges of rows instead of an equal bucket: else ids between two bounds are looked up in the index of all ids. */
const selectLast: BucketEnds["selectLast"] =
  (entries, store, { column, toId }) =>
  ({ bucket, toSequence }, columns) => {
    const upTo =
      column === "sequence"
        ? sql`(bucket, sequence) <= (${bucket}, ${toSequence})`
        : sql`(bucket, entry_id) <= (${bucket}, ${toId}) and +sequence <= ${toSequence}`
    return sql`
      select ${columns} from ${entries} where store = ${store} and bucket >= ${bucket} and ${upTo}
      order by bucket desc, ${sql.ref(column)} desc limit 1`
  }

/** SQLite has no lateral join, but finds a row by what a row's own select finds. */
const findLast: FindLast = ({ entries }, store, { first, isBefore, last }) => ({
  table: sql`${entries} as e`,
  condition: sql`e.rowid = (
    select rowid from ${entries} where store = ${store}
    and bucket ${isBefore ? sql`<` : sql`<=`} ${last} and bucket >= ${first}
    order by bucket desc, sequence desc limit 1
  )`
})

/** `Dialect.buckets`. */
export const buckets: Buckets = {
  maxProbes: 10_000,
  forEachProbe,
  findPlaces,
  scan,
  selectAt: selectAtList,
  ends: { findLasts: findLastsByRecursion(findLast), selectLast }
}
