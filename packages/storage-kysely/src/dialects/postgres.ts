import { sql } from "kysely"
import { codeOf, isNetworkFailure } from "./connectionFailures.ts"
import { createIndexIfNotExists } from "./createIndex.ts"
import type { CursorMove, Dialect, Failure, PageRange, Probe } from "./Dialect.ts"
import { findPlacesBy } from "./findPlaces.ts"
import { insertOnConflictDoNothing } from "./insertNew.ts"
import { append, appendToStores } from "./postgresAppend.ts"

/** One by one: of a list, in a table that grows, the planner made scans of the whole store. */
const selectAt: Dialect["selectAt"] = (columns, entries, store, sequences) => sql`
  select found.* from json_array_elements_text(${JSON.stringify(sequences)}::json) as wanted(sequence)
  cross join lateral (
    select ${columns} from ${entries} as e where e.store = ${store} and e.sequence = wanted.sequence::bigint offset 0
  ) as found`

const pageRow = ({ from, limits: { maxBytes, maxEntries }, storeId }: PageRange) => [
  storeId,
  from,
  maxEntries,
  maxBytes
]

const selectPages: NonNullable<Dialect["selectPages"]> = (columns, { entries, stores }, requests) => {
  const candidate = sql`e.store = s.id and e.sequence >= w.from_sequence and e.sequence < w.from_sequence + w.max_entries`
  const last = sql`
    select max(sequence) from (
      select sequence, sum(bytes) over (order by sequence) as running from ${entries} as e where ${candidate}
    ) as t where sequence = w.from_sequence or running <= w.max_bytes`
  return sql`
    select w.request, s.head, s.erased, page.* from (
      select (place - 1)::integer as request, t.w ->> 0 as store_id, (t.w ->> 1)::bigint as from_sequence,
        (t.w ->> 2)::integer as max_entries, (t.w ->> 3)::bigint as max_bytes
      from json_array_elements(${JSON.stringify(requests.map(pageRow))}::json) with ordinality as t(w, place)
      offset 0
    ) as w
    cross join lateral (select id, head, erased from ${stores} where store_id = w.store_id offset 0) as s
    left join lateral (
      select ${columns} from ${entries} as e where ${candidate} and e.sequence <= (${last}) offset 0
    ) as page on true`
}

const moveRow = ({ sequence, storeId, token }: CursorMove) => [storeId, token, sequence]

const now = sql<number>`floor(extract(epoch from clock_timestamp()) * 1000)::bigint`

const advanceAll: NonNullable<Dialect["advanceAll"]> = ({ stores }, moves) => sql`
  with held as materialized (
    select s.id, w.move, w.sequence from (
      select (place - 1)::integer as move, t.w ->> 0 as store_id, t.w ->> 1 as token, (t.w ->> 2)::bigint as sequence
      from json_array_elements(${JSON.stringify(moves.map(moveRow))}::json) with ordinality as t(w, place)
    ) as w
    cross join lateral (
      select id from ${stores} where store_id = w.store_id and lease_holder = w.token and lease_until > ${now}
      for no key update skip locked
    ) as s
  )
  update ${stores} as s set processed = greatest(s.processed, held.sequence) from held where s.id = held.id
  returning held.move`

const probeRow = ({ afterId, bucket, fromSequence, maxTransportOnly, toSequence }: Probe) => [
  bucket.toString("hex"),
  fromSequence,
  toSequence,
  afterId.toString("hex"),
  maxTransportOnly
]

const forEachProbe: Dialect["forEachProbe"] = (probes, select) => {
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
const scanBucket: Dialect["scanBucket"] = ({ column, direction }, probe) => {
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

/** Serialization failures, deadlocks, and entries that somebody else inserted meanwhile. */
const conflicts = new Set(["40001", "40P01", "23505"])

/** Classes and codes of SQLSTATE: connections, resources but for a full disk, shutdowns, locks, cancelled statements. */
const away = ["08", "53", "57P", "55P03", "57014", "25P03", "25P04", "25006"]

/** pg says these without a code. */
const lostConnection =
  /connection terminated|connection timeout|timeout exceeded when trying to connect|not queryable|connection error/i

const failureOf = (cause: unknown): Failure => {
  const code = codeOf(cause)
  if (conflicts.has(code)) return "Conflict"
  if (code === "53100") return "Broken"
  if (away.some((prefix) => code.startsWith(prefix)) || isNetworkFailure(cause)) return "Away"
  return cause instanceof Error && lostConnection.test(cause.message) ? "Away" : "Broken"
}

/** PostgreSQL, through pg or another driver that Kysely has for it. */
export const postgres: Dialect = {
  columns: {
    id: sql`integer generated always as identity`,
    key: () => sql`text collate "C"`,
    text: "text",
    bytes16: "bytea",
    blob: "bytea"
  },
  createIndex: createIndexIfNotExists,
  now,
  insertNew: insertOnConflictDoNothing,
  append,
  appendToStores,
  selectAt,
  selectPages,
  advanceAll,
  maxProbes: 10_000,
  forEachProbe,
  findPlaces: findPlacesBy(forEachProbe),
  scanBucket,
  singleConnection: false,
  beginHandlers: (_tables, _storeId, leaseMillis) => {
    const atMost = (name: string, millis: number) => sql`
      case when current_setting(${name}) = '0' then set_config(${name}, ${String(millis)}, true) end`
    return sql`select ${atMost("lock_timeout", Math.ceil(leaseMillis / 2))},
      ${atMost("statement_timeout", leaseMillis)}, ${atMost("idle_in_transaction_session_timeout", leaseMillis)}`
  },
  notify: (channel, storeIds) =>
    sql`select pg_notify(${channel}, store_id) from json_array_elements_text(${JSON.stringify(storeIds)}::json) as t(store_id)`,
  failureOf
}
