import type { StorageError, StoreId } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { chunksOf, toNumber } from "../database/values.ts"
import type { StoreRow } from "../schema/tables.ts"

/** Stores that a statement asks for at most. */
const maxStores = 1_000

/** `StoreProgress.cursors`. */
export const cursors = Effect.fnUntraced(function* (
  database: Database,
  storeIds: ReadonlyArray<StoreId>
): Effect.fn.Return<ReadonlyArray<number>, StorageError> {
  const { connection, tables } = database
  const found = new Map<string, number>()
  for (const chunk of chunksOf(storeIds, maxStores)) {
    yield* attempt(database, "StoreProgress.cursors", async () => {
      const { rows } = await sql<Pick<StoreRow, "store_id" | "processed">>`
        select store_id, case when rewind_to < processed then rewind_to else processed end as processed
        from ${tables.stores} where store_id in (${sql.join(chunk)})`.execute(connection)
      for (const { processed, store_id } of rows) found.set(store_id, toNumber(processed))
    })
  }
  return storeIds.map((storeId) => found.get(storeId) ?? 0)
})
