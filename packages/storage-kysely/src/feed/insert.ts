import type { StorageError } from "@eventlog-server/core/backend"
import type { Effect } from "effect"
import { combine } from "../database/combine.ts"
import { attempt, type Database } from "../database/Database.ts"
import { endOfTask } from "../database/gather.ts"
import type { Inserted, StoreAppend } from "../dialects/Writes.ts"

const operation = "FeedStore.append"

/** Bytes of entries that one statement carries for several stores, and what each entry counts for beside its own. */
const maxBytes = 1024 * 1024
const bytesPerEntry = 1024

/** Inserts entries into a store as `Writes.append` does. */
export type Insert = (added: StoreAppend) => Effect.Effect<Inserted | undefined, StorageError>

/** Group commit across stores: what is inserted at the same time is one commit where the database can do that. */
export const makeInsert = (database: Database): Insert => {
  const { acrossStores, writes } = database.dialect
  const alone: Insert = (added) => attempt(database, operation, () => writes.append(database, added))
  if (acrossStores === undefined) return alone
  return combine<StoreAppend, Inserted | undefined, StorageError>({
    alone,
    together: (appends) => attempt(database, operation, () => acrossStores.append(database, appends)),
    weigh: ({ entries }) => entries.reduce((sum, { bytes }) => sum + bytes + bytesPerEntry, 0),
    maxWeight: maxBytes,
    // Core begins the appends of a turn in one go, and goes on in one go with those whose answers came together.
    later: endOfTask
  })
}
