import type { StorageError, StoreId } from "@eventlog-server/core"
import type { Effect } from "effect"
import { combine } from "../database/combine.ts"
import { attempt, type Database } from "../database/Database.ts"
import type { Inserted, NewEntry } from "../dialects/Dialect.ts"

const operation = "FeedStore.append"

/** Bytes of entries that one statement carries for several stores, and what each entry counts for beside its own. */
const maxBytes = 1024 * 1024
const bytesPerEntry = 1024

/** New entries, and the store that they go to. */
export interface NewEntries {
  readonly storeId: StoreId
  readonly entries: ReadonlyArray<NewEntry>
}

/** Inserts entries into a store as `Dialect.append` does. */
export type Insert = (added: NewEntries) => Effect.Effect<Inserted | undefined, StorageError>

/** Group commit across stores: what is inserted at the same time is one commit where the database can do that. */
export const makeInsert = (database: Database): Insert => {
  const { connection, dialect, tables } = database
  const { append, appendToStores } = dialect
  const alone: Insert = ({ entries, storeId }) =>
    attempt(database, operation, () => append(connection, tables, storeId, entries))
  if (appendToStores === undefined) return alone
  return combine<NewEntries, Inserted | undefined, StorageError>({
    alone,
    together: (appends) => attempt(database, operation, () => appendToStores(connection, tables, appends)),
    weigh: ({ entries }) => entries.reduce((sum, { bytes }) => sum + bytes + bytesPerEntry, 0),
    maxWeight: maxBytes
  })
}
