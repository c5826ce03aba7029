import type {
  Failure,
  Failures,
  FailuresQuery,
  KeptFailure,
  StorageError,
  StoreId
} from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { createStore } from "../database/stores.ts"
import type { Connection } from "../database/Target.ts"
import { chunksOf, ownBytes, toBuffer, toNumber } from "../database/values.ts"
import type { NewRow } from "../dialects/Writes.ts"
import type { BigInteger, FailureRow } from "../schema/tables.ts"

/** Failures that a statement writes, or forgets, at most. */
const maxFailures = 100

const rowOf = ({ dialect }: Database, store: number, failure: Failure): NewRow => ({
  store,
  sequence: failure.sequence,
  entry_id: toBuffer(failure.entryId),
  event: failure.event,
  primary_key: failure.primaryKey,
  author: failure.author,
  reason: failure.reason,
  message: failure.message,
  attempts: 1,
  first_at: dialect.now,
  last_at: dialect.now
})

const write = async (
  database: Database,
  on: Connection,
  store: number,
  failures: ReadonlyArray<Failure>
): Promise<void> => {
  const { dialect, tables } = database
  // A statement can't write a row twice.
  const last = new Map(failures.map((failure) => [failure.sequence, failure]))
  for (const chunk of chunksOf(Array.from(last.values()), maxFailures)) {
    await dialect.writes
      .upsert(tables.failures, {
        rows: chunk.map((failure) => rowOf(database, store, failure)),
        key: ["store", "sequence"],
        kept: ["first_at"],
        counted: ["attempts"]
      })
      .execute(on)
  }
}

/**
 * Keeps failures under a lock on the store's row, which an update takes that changes nothing: an erasure comes before or
 * after all of them. Returns how many the store has then; `undefined` for one without a row.
 */
const writeLocked = (
  database: Database,
  storeId: StoreId,
  failures: ReadonlyArray<Failure>
): Promise<number | undefined> =>
  database.connection.transaction().execute(async (transaction) => {
    const { tables } = database
    await sql`update ${tables.stores} set erased = erased where store_id = ${storeId}`.execute(transaction)
    const { rows: stores } = await sql<{ readonly id: number; readonly erased: number }>`
      select id, erased from ${tables.stores} where store_id = ${storeId}`.execute(transaction)
    const [store] = stores
    if (store === undefined || store.erased !== 0) return store && 0
    await write(database, transaction, store.id, failures)
    const { rows } = await sql<{ readonly kept: BigInteger }>`
      select count(*) as kept from ${tables.failures} where store = ${store.id}`.execute(transaction)
    return toNumber(rows[0]?.kept ?? 0)
  })

const record = Effect.fnUntraced(function* (
  database: Database,
  storeId: StoreId,
  failures: ReadonlyArray<Failure>
): Effect.fn.Return<number, StorageError> {
  const run = <A>(call: () => Promise<A>) => attempt(database, "Failures.record", call)
  const kept = yield* run(() => writeLocked(database, storeId, failures))
  if (kept !== undefined) return kept
  yield* run(() => createStore(database, storeId))
  return (yield* run(() => writeLocked(database, storeId, failures))) ?? 0
})

type KeptRow = Omit<FailureRow, "store"> & { readonly store_id: string }

const toKept = (row: KeptRow): KeptFailure => ({
  storeId: row.store_id as StoreId,
  sequence: toNumber(row.sequence),
  entryId: ownBytes(row.entry_id),
  event: row.event,
  primaryKey: row.primary_key,
  author: row.author,
  reason: row.reason,
  message: row.message,
  attempts: row.attempts,
  firstAt: toNumber(row.first_at),
  lastAt: toNumber(row.last_at)
})

const list = (
  database: Database,
  { after, limit, storeId }: FailuresQuery
): Effect.Effect<ReadonlyArray<KeptFailure>, StorageError> => {
  const { connection, tables } = database
  const ofStore = storeId === undefined ? sql`` : sql`and s.store_id = ${storeId}`
  const rest = after === undefined ? sql`` : sql`and (s.store_id, f.sequence) > (${after.storeId}, ${after.sequence})`
  return attempt(database, "Failures.list", async () => {
    const { rows } = await sql<KeptRow>`
      select s.store_id, f.* from ${tables.failures} as f join ${tables.stores} as s on s.id = f.store
      where s.erased = 0 ${ofStore} ${rest} order by s.store_id, f.sequence limit ${limit}`.execute(connection)
    return rows.map(toKept)
  })
}

const settle = Effect.fnUntraced(function* (
  database: Database,
  storeId: StoreId,
  sequences: ReadonlyArray<number>
): Effect.fn.Return<void, StorageError> {
  const { connection, tables } = database
  for (const chunk of chunksOf(sequences, maxFailures)) {
    yield* attempt(database, "Failures.settle", () =>
      sql`delete from ${tables.failures}
        where store = (select id from ${tables.stores} where store_id = ${storeId})
        and sequence in (${sql.join(chunk)})`.execute(connection)
    )
  }
})

/** `StoreProgress.failures`. */
export const makeFailures = (database: Database): Failures => ({
  record: (storeId, failures) => record(database, storeId, failures),
  list: (query) => list(database, query),
  settle: (storeId, sequences) => settle(database, storeId, sequences)
})
