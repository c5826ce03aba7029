import { type Lease, LeaseLostError, type StorageError, type StoreId } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import type { Connection } from "../database/Target.ts"
import type { Held } from "./leaseUpdates.ts"

/** `StoreProgress.rewind`. */
export const wantRewound = (database: Database, storeId: StoreId, to: number): Effect.Effect<void, StorageError> =>
  Effect.asVoid(
    attempt(database, "StoreProgress.rewind", () =>
      sql`update ${database.tables.stores}
        set rewind_to = case when rewind_to is null or rewind_to > ${to} then ${to} else rewind_to end
        where store_id = ${storeId} and erased = 0`.execute(database.connection)
    )
  )

/**
 * Rewinds the cursor of whoever holds the lease, and forgets the failures of what is behind it then. Returns whether it is the
 * holder's. The first statement locks the store's row.
 */
export const rewindIn = async (
  { dialect, tables }: Database,
  on: Connection,
  { storeId, token }: Held
): Promise<boolean> => {
  // The cursor is assigned last: MySQL has each assignment see those before it.
  const { numAffectedRows } = await sql`update ${tables.stores} set
    replay_to = case when replay_to < processed and processed > rewind_to then processed else replay_to end,
    processed = case when processed > rewind_to then rewind_to else processed end,
    rewind_to = null
    where store_id = ${storeId} and lease_holder = ${token} and lease_until > ${dialect.now}
    and rewind_to is not null`.execute(on)
  if (numAffectedRows !== 1n) return false
  for (const table of [tables.retries, tables.failures]) {
    await sql`delete from ${table}
      where store = (select id from ${tables.stores} where store_id = ${storeId})
      and sequence > (select processed from ${tables.stores} where store_id = ${storeId})`.execute(on)
  }
  return true
}

/** `Lease.rewind` where handlers don't share the cursor's transaction. */
export const makeRewind =
  (database: Database, held: Held): Lease["rewind"] =>
  (work) =>
    Effect.gen(function* () {
      yield* work(Effect.exit)
      const isDone = yield* attempt(database, "Lease.rewind", () =>
        database.connection.transaction().execute((transaction) => rewindIn(database, transaction, held))
      )
      if (!isDone) return yield* new LeaseLostError({ storeId: held.storeId })
    })
