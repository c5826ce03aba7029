import type { StorageError, StoreId } from "@eventlog-server/core/backend"
import type { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import type { StoreRow } from "../schema/tables.ts"

/**
 * `StoreProgress.behind`. It reads on over the stores at rest, whose rows are small, until it has found enough. An index of
 * those that are behind would find them at once; but its columns are those that every append and every step of a cursor
 * changes, and PostgreSQL updates a row in its place only where no index has to know.
 */
export const behind = (
  database: Database,
  after: StoreId | undefined,
  limit: number
): Effect.Effect<ReadonlyArray<StoreId>, StorageError> => {
  const { connection, tables } = database
  const rest = after === undefined ? sql`` : sql`and store_id > ${after}`
  return attempt(database, "StoreProgress.behind", async () => {
    const { rows } = await sql<Pick<StoreRow, "store_id">>`
      select store_id from ${tables.stores} where (head <> processed or rewind_to is not null) and erased = 0 ${rest}
      order by store_id limit ${limit}`.execute(connection)
    return rows.map(({ store_id }) => store_id as StoreId)
  })
}
