import type {
  Failure,
  Failures,
  FailuresQuery,
  KeptFailure,
  StorageError,
  StoreId
} from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { type RawBuilder, sql } from "kysely"
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

/** Keeps failures, and returns how many the store has then. */
export const keep = async (
  database: Database,
  on: Connection,
  store: number,
  failures: ReadonlyArray<Failure>
): Promise<number> => {
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
  await forget(on, tables.retries, store, Array.from(last.keys()))
  const { rows } = await sql<{ readonly kept: BigInteger }>`
    select count(*) as kept from ${tables.failures} where store = ${store}`.execute(on)
  return toNumber(rows[0]?.kept ?? 0)
}

/** Deletes what a table has of sequences. */
const forget = async (
  on: Connection,
  table: RawBuilder<unknown>,
  store: number,
  sequences: ReadonlyArray<number>
): Promise<void> => {
  for (const chunk of chunksOf(sequences, maxFailures)) {
    await sql`delete from ${table} where store = ${store} and sequence in (${sql.join(chunk)})`.execute(on)
  }
}

/** Forgets failures. */
export const settle = async (
  { tables }: Database,
  on: Connection,
  store: number,
  sequences: ReadonlyArray<number>
): Promise<void> => {
  await forget(on, tables.retries, store, sequences)
  await forget(on, tables.failures, store, sequences)
}

/** Makes failures due that are kept. Nobody else does so at the same time. */
const makeDue = async (
  { tables }: Database,
  on: Connection,
  store: number,
  sequences: ReadonlyArray<number>
): Promise<void> => {
  for (const chunk of chunksOf(sequences, maxFailures)) {
    await sql`insert into ${tables.retries} (store, sequence)
      select f.store, f.sequence from ${tables.failures} as f
      where f.store = ${store} and f.sequence in (${sql.join(chunk)})
      and not exists (select 1 from ${tables.retries} as r where r.store = f.store and r.sequence = f.sequence)`.execute(
      on
    )
  }
}

/**
 * Changes a store's failures under a lock on the store's row, which an update takes that changes nothing: an erasure comes
 * before or after all of it. Does nothing for an erased store; `undefined`: there is no row for the store.
 */
const locked = <A>(
  { connection, tables }: Database,
  storeId: StoreId,
  change: (on: Connection, store: number) => Promise<A>
): Promise<A | "Erased" | undefined> =>
  connection.transaction().execute(async (transaction) => {
    await sql`update ${tables.stores} set erased = erased where store_id = ${storeId}`.execute(transaction)
    const { rows } = await sql<{ readonly id: number; readonly erased: number }>`
      select id, erased from ${tables.stores} where store_id = ${storeId}`.execute(transaction)
    const [store] = rows
    if (store === undefined) return undefined
    return store.erased === 0 ? change(transaction, store.id) : "Erased"
  })

const record = Effect.fnUntraced(function* (
  database: Database,
  storeId: StoreId,
  failures: ReadonlyArray<Failure>
): Effect.fn.Return<number, StorageError> {
  const run = <A>(call: () => Promise<A>) => attempt(database, "Failures.record", call)
  const write = run(() => locked(database, storeId, (on, store) => keep(database, on, store, failures)))
  let kept = yield* write
  if (kept === undefined) {
    yield* run(() => createStore(database, storeId))
    kept = yield* write
  }
  return typeof kept === "number" ? kept : 0
})

type KeptRow = Omit<FailureRow, "store"> & { readonly store_id: string; readonly due: BigInteger | null }

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
  isDue: row.due !== null,
  firstAt: toNumber(row.first_at),
  lastAt: toNumber(row.last_at)
})

const list = (
  database: Database,
  { after, isDue, limit, storeId }: FailuresQuery
): Effect.Effect<ReadonlyArray<KeptFailure>, StorageError> => {
  const { connection, tables } = database
  const ofStore = storeId === undefined ? sql`` : sql`and s.store_id = ${storeId}`
  const rest = after === undefined ? sql`` : sql`and (s.store_id, f.sequence) > (${after.storeId}, ${after.sequence})`
  const due = isDue === undefined ? sql`left join` : sql`join`
  return attempt(database, "Failures.list", async () => {
    const { rows } = await sql<KeptRow>`
      select s.store_id, f.*, r.sequence as due
      from ${tables.failures} as f join ${tables.stores} as s on s.id = f.store
      ${due} ${tables.retries} as r on r.store = f.store and r.sequence = f.sequence
      where s.erased = 0 ${ofStore} ${rest} order by s.store_id, f.sequence limit ${limit}`.execute(connection)
    return rows.map(toKept)
  })
}

/** `StoreProgress.failures`. */
export const makeFailures = (database: Database): Failures => {
  const change = (operation: string, how: typeof settle) => (storeId: StoreId, sequences: ReadonlyArray<number>) =>
    sequences.length === 0
      ? Effect.void
      : Effect.asVoid(
          attempt(database, operation, () =>
            locked(database, storeId, (on, store) => how(database, on, store, sequences))
          )
        )
  return {
    record: (storeId, failures) => record(database, storeId, failures),
    list: (query) => list(database, query),
    retry: change("Failures.retry", makeDue),
    settle: change("Failures.settle", settle)
  }
}
