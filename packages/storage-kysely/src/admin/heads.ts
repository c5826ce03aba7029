import type { StorageError, StoreHead, StoreId } from "@eventlog-server/core/backend"
import type { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { toNumber } from "../database/values.ts"
import type { StoreRow } from "../schema/tables.ts"

/** `FeedAdmin.heads`. */
export const heads = (
  database: Database,
  after: StoreId | undefined,
  limit: number
): Effect.Effect<ReadonlyArray<StoreHead>, StorageError> => {
  const { connection, tables } = database
  const rest = after === undefined ? sql`` : sql`and store_id > ${after}`
  return attempt(database, "FeedAdmin.heads", async () => {
    const { rows } = await sql<Pick<StoreRow, "store_id" | "head" | "processed">>`
      select store_id, head, processed from ${tables.stores} where head > 0 and erased = 0 ${rest}
      order by store_id limit ${limit}`.execute(connection)
    return rows.map(({ head, processed, store_id }) => ({
      storeId: store_id as StoreId,
      head: toNumber(head),
      processed: toNumber(processed)
    }))
  })
}
