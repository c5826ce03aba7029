import type { StorageError, StoreId } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { createStore } from "../database/stores.ts"

/**
 * `FeedAdmin.erase`, in one transaction. Its first statement locks the store's row and makes it the tombstone: an append
 * that waits behind it finds a store that is erased, and one that came before has its entries deleted.
 */
export const erase = (database: Database, storeId: StoreId): Effect.Effect<void, StorageError> => {
  const { connection, tables } = database
  const run = <A>(call: () => Promise<A>) => attempt(database, "FeedAdmin.erase", call)
  const eraseAll = () =>
    connection.transaction().execute(async (transaction) => {
      await sql`
        update ${tables.stores} set erased = 1, head = 0, processed = 0, replay_to = 0, rewind_to = null, lease_holder = null, lease_until = 0
        where store_id = ${storeId}`.execute(transaction)
      for (const table of [tables.entries, tables.groups, tables.failures, tables.retries]) {
        await sql`delete from ${table}
          where store = (select id from ${tables.stores} where store_id = ${storeId})`.execute(transaction)
      }
    })
  return Effect.andThen(
    run(() => createStore(database, storeId)),
    run(eraseAll)
  )
}
