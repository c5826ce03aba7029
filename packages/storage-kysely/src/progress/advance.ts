import {
  FeedLostError,
  type KnownEntry,
  type Lease,
  LeaseLostError,
  type StorageError
} from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import type { Held, LeaseUpdates } from "./leaseUpdates.ts"

/**
 * Whether the lease is held still, and the cursor may be moved by it. One that ran out never comes back, so it was held before too;
 * one whose cursor is to be rewound doesn't either.
 */
const isLeaseHeld = (database: Database, { storeId, token }: Held): Effect.Effect<boolean, StorageError> =>
  attempt(database, "Lease.advance", async () => {
    const { connection, dialect, tables } = database
    const { rows } = await sql`select 1 from ${tables.stores}
      where store_id = ${storeId} and lease_holder = ${token} and lease_until > ${dialect.now} and rewind_to is null`.execute(
      connection
    )
    return rows.length > 0
  })

/** `Lease.advance`. Where nothing was moved a second look tells why: the lease was lost, or the entry. */
export const makeAdvance = (
  database: Database,
  { advance }: Pick<LeaseUpdates, "advance">,
  held: Held
): Lease["advance"] =>
  Effect.fnUntraced(function* (processed: KnownEntry) {
    if (yield* advance({ ...held, processed })) return
    const { storeId } = held
    return yield* (yield* isLeaseHeld(database, held))
      ? new FeedLostError({ storeId, sequence: processed.sequence })
      : new LeaseLostError({ storeId })
  })
