import {
  FeedLostError,
  type KnownEntry,
  type StorageError,
  StoreErasedError,
  type StoreId
} from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { type RawBuilder, sql } from "kysely"
import type { Tables } from "../schema/tables.ts"
import { attempt, type Database } from "./Database.ts"
import { isHeld, selectKnown } from "./known.ts"

/** What the other tables call a store. */
export const storeOf = ({ stores }: Tables, storeId: string): RawBuilder<number> =>
  sql`(select id from ${stores} where store_id = ${storeId})`

/** Makes the row of a store that nobody has used yet. Does nothing where there is one. */
export const createStore = ({ connection, dialect, tables }: Database, storeId: StoreId): Promise<unknown> =>
  dialect.writes.insertNew(tables.stores, { store_id: storeId }).execute(connection)

/**
 * Whether there is a row for the store. Fails for one that was erased, and for one whose feed doesn't hold an entry that is
 * known to be committed.
 */
export const findStore = Effect.fnUntraced(function* (
  database: Database,
  operation: string,
  storeId: StoreId,
  known: KnownEntry | undefined
): Effect.fn.Return<boolean, StorageError | StoreErasedError | FeedLostError> {
  const { run, tables } = database
  const { rows } = yield* attempt(database, operation, () =>
    run(sql<{ readonly erased: number; readonly known_id: Uint8Array | null }>`
      select erased, ${selectKnown(tables, storeId, known)} as known_id from ${tables.stores}
      where store_id = ${storeId}`)
  )
  const [store] = rows
  if (store !== undefined && store.erased !== 0) return yield* new StoreErasedError({ storeId })
  if (!isHeld(known, store?.known_id)) return yield* new FeedLostError({ storeId, sequence: known?.sequence })
  return store !== undefined
})
