import type { StorageError, StoreId } from "@eventlog-server/core"
import type { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { ownBytes } from "../database/values.ts"

/** `FeedStore.greatestId`: the last step of the unique index. */
export const greatestId = (
  database: Database,
  storeId: StoreId
): Effect.Effect<EventJournal.EntryId | undefined, StorageError> => {
  const { connection, tables } = database
  return attempt(database, "FeedStore.greatestId", async () => {
    const { rows } = await sql<{ readonly entry_id: Uint8Array }>`
      select entry_id from ${tables.entries}
      where store = (select id from ${tables.stores} where store_id = ${storeId})
      order by entry_id desc limit 1`.execute(connection)
    const [row] = rows
    return row && (ownBytes(row.entry_id) as EventJournal.EntryId)
  })
}
