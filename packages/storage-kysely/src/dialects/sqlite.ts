import { sql } from "kysely"
import { toNumber } from "../database/values.ts"
import { codeOf } from "./connectionFailures.ts"
import { createIndexIfNotExists } from "./createIndex.ts"
import type { Dialect, Failure } from "./Dialect.ts"
import { insertOnConflictDoNothing } from "./insertNew.ts"
import { packEntries } from "./packEntries.ts"
import { scanEqualBucket } from "./scanBucket.ts"
import { selectAtList } from "./selectAt.ts"
import { findPlaces, forEachProbe } from "./sqliteProbes.ts"

/**
 * One statement: it takes the write lock when it begins and commits when it ends, so nobody ever waits for a transaction
 * that this process has open. A trigger moves the head. Where all payloads are empty, `substr` is null.
 */
const append: Dialect["append"] = async (connection, { entries, stores }, storeId, newEntries) => {
  const packed = packEntries([newEntries])
  const { rows } = await sql<{ readonly sequence: number }>`
    insert into ${entries} (
      store, sequence, entry_id, bucket, event, primary_key, author, transport_only, bytes, payload
    )
    select s.id, s.head + row_number() over (order by place), entry_id, bucket, entry ->> 0, entry ->> 1, entry ->> 2,
      entry ->> 3, entry ->> 4, coalesce(substr(${packed.payloads}, (entry ->> 5) + 1, entry ->> 6), x'')
    from (
      select key as place, value as entry,
        substr(${packed.ids}, key * 16 + 1, 16) as entry_id, substr(${packed.buckets}, key * 16 + 1, 16) as bucket
      from json_each(${packed.rows})
    ) as given
    join ${stores} as s on s.store_id = ${storeId} and s.erased = 0
    where not exists (select 1 from ${entries} as e where e.store = s.id and e.entry_id = given.entry_id)
    order by place
    returning sequence`.execute(connection)
  if (rows.length === 0) return undefined
  return { last: rows.reduce((last, { sequence }) => Math.max(last, toNumber(sequence)), 0), count: rows.length }
}

const failureOf = (cause: unknown): Failure => {
  const code = codeOf(cause)
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) return "Conflict"
  return code.startsWith("SQLITE_CANTOPEN") || code.startsWith("SQLITE_PROTOCOL") ? "Away" : "Broken"
}

/** SQLite 3.38 or later, through better-sqlite3 or another driver that Kysely has for it. */
export const sqlite: Dialect = {
  columns: { id: "integer", key: () => "text", text: "text", bytes16: "blob", blob: "blob" },
  createIndex: createIndexIfNotExists,
  complete: async (connection, { entries, stores }, prefix) => {
    await sql`create trigger if not exists ${sql.id(`${prefix}move_head`)} after insert on ${entries} begin
      update ${stores} set head = new.sequence where id = new.store; end`.execute(connection)
  },
  now: sql`cast((julianday('now') - 2440587.5) * 86400000 as integer)`,
  insertNew: insertOnConflictDoNothing,
  append,
  selectAt: selectAtList,
  maxProbes: 10_000,
  forEachProbe,
  findPlaces,
  scanBucket: scanEqualBucket,
  singleConnection: true,
  // A transaction that begins by reading can't write once another process has: so it begins by writing.
  beginHandlers: ({ stores }, storeId) => sql`update ${stores} set erased = erased where store_id = ${storeId}`,
  failureOf
}
