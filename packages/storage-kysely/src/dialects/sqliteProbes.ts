import { type RawBuilder, sql } from "kysely"
import type { Dialect, Probe, ProbeSql } from "./Dialect.ts"

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

export const forEachProbe: Dialect["forEachProbe"] = (probes, select) =>
  sql`${withProbes(probes)} ${select(columns)} from p`

/** SQLite has no lateral join, but a list of what a row's own select finds. */
export const findPlaces: Dialect["findPlaces"] = (entries, store, probes, select) => sql`
  ${withProbes(probes)} select p.probe, e.sequence, e.entry_id, e.bytes from p cross join ${entries} as e
  where e.store = ${store} and e.sequence in (${select(columns, sql`sequence`)})`
