import type { EventLogServerStoreRegistryError } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { type RawBuilder, sql } from "kysely"
import type { Database } from "../database/Database.ts"
import type { Connection } from "../database/Target.ts"
import type { AccessNotes } from "../wakeups/accessNotes.ts"
import { type Registry, run } from "./calls.ts"

/** A change of what a key may do, and where it is told of. */
export interface Change {
  readonly member: keyof Registry
  readonly publicKey: string
  /** Updates the key's row, or finds nothing to update. */
  readonly update: RawBuilder<unknown>
}

/**
 * Gives the change its number. The row that counts stays locked until the commit, so changes become visible in the order of
 * their numbers, and whoever looks for those after the last one that it saw passes over none.
 */
const number = async (connection: Connection, { tables }: Database, publicKey: string): Promise<void> => {
  await sql`update ${tables.identity} set access_changes = access_changes + 1`.execute(connection)
  await sql`update ${tables.keys} set access_change = (select access_changes from ${tables.identity})
    where public_key = ${publicKey}`.execute(connection)
}

/**
 * Changes the row of a key, numbers the change and tells others of it, in one transaction; does nothing more where there
 * was nothing to update. Those who listen on this node are told at once. Where the answer to the commit is lost they learn
 * of it as others do.
 */
export const change = (
  database: Database,
  { listeners, notify }: AccessNotes,
  { member, publicKey, update }: Change
): Effect.Effect<void, EventLogServerStoreRegistryError> =>
  run(database, member, () =>
    database.connection.transaction().execute(async (transaction) => {
      const { numAffectedRows } = await update.execute(transaction)
      if (numAffectedRows === 0n) return false
      await number(transaction, database, publicKey)
      await notify?.(publicKey).execute(transaction)
      return true
    })
  ).pipe(
    Effect.tap((isChanged) => Effect.sync(() => isChanged && listeners.tell({ publicKey }))),
    Effect.asVoid
  )
