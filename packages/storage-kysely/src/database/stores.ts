import { type StorageError, StoreErasedError, type StoreId } from "@eventlog-server/core"
import { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "./Database.ts"

/** Makes the row of a store that nobody has used yet. Does nothing where there is one. */
export const createStore = ({ connection, dialect, tables }: Database, storeId: StoreId): Promise<unknown> =>
  dialect.insertNew(tables.stores, { store_id: storeId }).execute(connection)

/** Whether there is a row for the store; fails for one that was erased. */
export const findStore = Effect.fnUntraced(function* (
  database: Database,
  operation: string,
  storeId: StoreId
): Effect.fn.Return<boolean, StorageError | StoreErasedError> {
  const { connection, tables } = database
  const { rows } = yield* attempt(database, operation, () =>
    sql<{ readonly erased: number }>`select erased from ${tables.stores} where store_id = ${storeId}`.execute(
      connection
    )
  )
  const [store] = rows
  if (store !== undefined && store.erased !== 0) return yield* new StoreErasedError({ storeId })
  return store !== undefined
})
