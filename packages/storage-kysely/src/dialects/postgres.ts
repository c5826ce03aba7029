import { sql } from "kysely"
import { toNumber } from "../database/values.ts"
import type { BigInteger } from "../schema/tables.ts"
import { codeOf, isNetworkFailure } from "./connectionFailures.ts"
import { createIndexIfNotExists } from "./createIndex.ts"
import type { Dialect, Failure, Probe } from "./Dialect.ts"
import { findPlacesBy } from "./findPlaces.ts"
import { insertOnConflictDoNothing } from "./insertNew.ts"
import { packEntries } from "./packEntries.ts"

/**
 * One statement, so one round trip and one commit. The `update` takes the row's lock and moves the head: whoever waits for
 * it goes on from the head that the holder left. What the statement can't see are entries that the holder committed
 * meanwhile; a repeated one runs into the unique index, which fails the statement as a conflict, and is found the next
 * time. The number of new entries is counted once, before the lock: a count that depended on it would be taken again.
 */
const append: Dialect["append"] = async (connection, { entries, stores }, storeId, newEntries) => {
  const packed = packEntries(newEntries)
  const { rows } = await sql<{ readonly last: BigInteger; readonly count: BigInteger }>`
    with given as materialized (
      select place,
        substr(${packed.ids}::bytea, place * 16 - 15, 16) as entry_id,
        substr(${packed.buckets}::bytea, place * 16 - 15, 16) as bucket,
        entry ->> 0 as event, entry ->> 1 as primary_key, entry ->> 2 as author,
        (entry ->> 3)::smallint as transport_only, (entry ->> 4)::integer as bytes,
        substr(${packed.payloads}::bytea, (entry ->> 5)::integer + 1, (entry ->> 6)::integer) as payload
      from (
        select entry, place::integer from json_array_elements(${packed.rows}::json) with ordinality as t(entry, place)
      ) as t
    ),
    fresh as materialized (
      select given.*, row_number() over (order by place) as rank from given
      where not exists (
        select from ${entries} as e
        where e.store = (select id from ${stores} where store_id = ${storeId}) and e.entry_id = given.entry_id
        offset 0
      )
    ),
    moved as (
      update ${stores} set head = head + (select count(*) from fresh)
      where store_id = ${storeId} and erased = 0 and exists (select from fresh)
      returning id, head
    ),
    inserted as (
      insert into ${entries} (
        store, sequence, entry_id, bucket, event, primary_key, author, transport_only, bytes, payload
      )
      select moved.id, moved.head - (select count(*) from fresh) + rank,
        entry_id, bucket, event, primary_key, author, transport_only, bytes, payload
      from moved, fresh
    )
    select head as last, (select count(*) from fresh) as count from moved`.execute(connection)
  const [row] = rows
  return row && { last: toNumber(row.last), count: toNumber(row.count) }
}

/** One by one: of a list, in a table that grows, the planner made scans of the whole store. */
const selectAt: Dialect["selectAt"] = (columns, entries, store, sequences) => sql`
  select found.* from json_array_elements_text(${JSON.stringify(sequences)}::json) as wanted(sequence)
  cross join lateral (
    select ${columns} from ${entries} as e where e.store = ${store} and e.sequence = wanted.sequence::bigint offset 0
  ) as found`

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
  now: sql`floor(extract(epoch from clock_timestamp()) * 1000)::bigint`,
  insertNew: insertOnConflictDoNothing,
  append,
  selectAt,
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
