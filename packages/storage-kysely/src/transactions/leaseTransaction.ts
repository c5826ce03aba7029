import { type Lease, LeaseLostError, type StorageError, type StoreId } from "@eventlog-server/core"
import { Effect, Exit } from "effect"
import { type ControlledTransaction, type Kysely, type KyselyPlugin, sql } from "kysely"
import { beforeLeaving } from "../database/beforeLeaving.ts"
import type { Database } from "../database/Database.ts"
import { type Conflicts, containIn, within } from "./contain.ts"

/** A lease that transactions move the cursor of. */
export interface TransactionalLease<DB> {
  readonly database: Database
  /** The app's own instance, with its plugins: its handlers know their tables by it. */
  readonly db: Kysely<DB>
  readonly storeId: StoreId
  /** What the lease is held by. */
  readonly token: string
  readonly leaseMillis: number
  /** The cursor when the lease was taken. */
  readonly cursor: number
}

/** How long the end of a transaction that is given up is waited for, in milliseconds. */
const rollbackMillis = 5_000

/** What `beginHandlers` did to the connection is undone. */
const end = <DB>({ dialect }: Database, transaction: ControlledTransaction<DB>): Effect.Effect<void, StorageError> => {
  const { endHandlers } = dialect
  return endHandlers === undefined
    ? Effect.void
    : Effect.asVoid(within(dialect, () => endHandlers.execute(transaction.withoutPlugins())))
}

/** Undoes a transaction. A statement of a handler that hangs may be before it. */
const rollBack = <DB>(database: Database, transaction: ControlledTransaction<DB>): Effect.Effect<void> =>
  beforeLeaving(
    Effect.ensuring(
      Effect.ignore(end(database, transaction)),
      Effect.ignore(within(database.dialect, () => transaction.rollback().execute()))
    ),
    rollbackMillis
  )

/** Makes another instance of the app's, which nobody else has. */
const unchanged: KyselyPlugin = { transformQuery: ({ node }) => node, transformResult: async ({ result }) => result }

/**
 * `Lease.transaction`. The last statement is the fence and the cursor in one: it moves the cursor of whoever holds the lease
 * from where this holder knows it to be. A commit whose answer was lost is found out so: the cursor is elsewhere, the lease
 * counts as lost, and whoever takes it next goes on from the cursor.
 */
export const leaseTransaction = <DB>(lease: TransactionalLease<DB>): NonNullable<Lease["transaction"]> => {
  const { database, leaseMillis, storeId, token } = lease
  const { dialect, tables } = database
  // An instance of its own: what stands in the way of handlers doesn't stand in ours.
  const db = lease.db.withPlugin(unchanged)
  let cursor = lease.cursor
  const conflicts: Conflicts = { count: 0 }

  const begin = Effect.gen(function* () {
    const transaction = yield* within(dialect, () => db.startTransaction().execute())
    const prepare = dialect.beginHandlers(tables, storeId, leaseMillis)
    yield* within(dialect, () => prepare.execute(transaction.withoutPlugins())).pipe(
      Effect.tapError(() => rollBack(database, transaction))
    )
    return transaction
  })

  const commit = Effect.fnUntraced(function* (transaction: ControlledTransaction<DB>, sequence: number) {
    const { numAffectedRows } = yield* within(dialect, () =>
      sql`update ${tables.stores} set processed = ${sequence}
        where store_id = ${storeId} and lease_holder = ${token} and processed = ${cursor}`.execute(
        transaction.withoutPlugins()
      )
    )
    if (numAffectedRows !== 1n) return yield* new LeaseLostError({ storeId })
    yield* end(database, transaction)
    yield* within(dialect, () => transaction.commit().execute())
    cursor = sequence
    conflicts.count = 0
  })

  return (work) =>
    Effect.acquireUseRelease(
      begin,
      (transaction) =>
        Effect.flatMap(work(containIn(dialect, transaction, conflicts)), (sequence) => commit(transaction, sequence)),
      (transaction, exit) => (Exit.isSuccess(exit) ? Effect.void : rollBack(database, transaction))
    )
}
