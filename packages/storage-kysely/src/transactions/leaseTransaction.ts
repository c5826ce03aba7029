import {
  FeedLostError,
  type KnownEntry,
  type Lease,
  LeaseLostError,
  type StorageError,
  type StoreId,
  type Within
} from "@eventlog-server/core/backend"
import { Effect, Exit } from "effect"
import { type ControlledTransaction, type Kysely, type KyselyPlugin, type RawBuilder, sql } from "kysely"
import { beforeLeaving, type Database } from "../database/Database.ts"
import { holds } from "../database/known.ts"
import type { Connection } from "../database/Target.ts"
import { keep, settle } from "../progress/failures.ts"
import { rewindIn } from "../progress/rewind.ts"
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

/** What `Handlers.begin` did to the connection is undone. */
const end = <DB>({ dialect }: Database, transaction: ControlledTransaction<DB>): Effect.Effect<void, StorageError> => {
  const statement = dialect.handlers.end
  return statement === undefined
    ? Effect.void
    : Effect.asVoid(within(dialect, () => statement.execute(transaction.withoutPlugins())))
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
 * `Lease.transaction`, and `Lease.rewind` in one. The last statement is the fence and the cursor in one: it moves the cursor of whoever holds the lease
 * from where this holder knows it to be, to an entry that is still there. A commit whose answer was lost is found out so: the cursor is elsewhere, the lease
 * counts as lost, and whoever takes it next goes on from the cursor.
 */
export const leaseTransaction = <DB>(
  lease: TransactionalLease<DB>
): Required<Pick<Lease, "rewind" | "transaction">> => {
  const { database, leaseMillis, storeId, token } = lease
  const { dialect, tables } = database
  // An instance of its own: what stands in the way of handlers doesn't stand in ours.
  const db = lease.db.withPlugin(unchanged)
  let cursor = lease.cursor
  const conflicts: Conflicts = { count: 0 }

  const begin = Effect.gen(function* () {
    const transaction = yield* within(dialect, () => db.startTransaction().execute())
    const prepare = dialect.handlers.begin(tables, storeId, leaseMillis)
    yield* within(dialect, () => prepare.execute(transaction.withoutPlugins())).pipe(
      Effect.tapError(() => rollBack(database, transaction))
    )
    return transaction
  })

  /** Updates the store's row, and tells whether it is the holder's and the cursor where it was. */
  const update = (
    transaction: ControlledTransaction<DB>,
    change: RawBuilder<unknown>,
    condition: RawBuilder<unknown>
  ) =>
    Effect.map(
      within(dialect, () =>
        sql`update ${tables.stores} as s set ${change}
          where store_id = ${storeId} and lease_holder = ${token} and processed = ${cursor} and rewind_to is null
          ${condition}`.execute(transaction.withoutPlugins())
      ),
      ({ numAffectedRows }) => numAffectedRows === 1n
    )

  /** Fails where the cursor isn't the holder's to move any more. Not by a select, which may see the snapshot of before. */
  const checkHolder = Effect.fnUntraced(function* (transaction: ControlledTransaction<DB>) {
    if (!(yield* update(transaction, sql`erased = erased`, sql``))) return yield* new LeaseLostError({ storeId })
  })

  const move = Effect.fnUntraced(function* (transaction: ControlledTransaction<DB>, processed: KnownEntry) {
    const { sequence } = processed
    const ifHeld = sql`and ${holds(tables, sql`s.id`, processed)}`
    if (yield* update(transaction, sql`processed = ${sequence}`, ifHeld)) return
    yield* checkHolder(transaction)
    return yield* new FeedLostError({ storeId, sequence })
  })

  const commit = Effect.fnUntraced(function* (
    transaction: ControlledTransaction<DB>,
    processed: KnownEntry | undefined
  ) {
    yield* processed === undefined ? checkHolder(transaction) : move(transaction, processed)
    yield* end(database, transaction)
    yield* within(dialect, () => transaction.commit().execute())
    cursor = processed?.sequence ?? cursor
    conflicts.count = 0
  })

  const failuresIn = (transaction: ControlledTransaction<DB>): Within["failures"] => {
    const change = <A>(how: (on: Connection, store: number) => Promise<A>) =>
      within(dialect, async () => {
        const on = transaction.withoutPlugins() as unknown as Connection
        const { rows } = await sql<{ readonly id: number }>`
          select id from ${tables.stores} where store_id = ${storeId}`.execute(on)
        return how(on, rows[0]!.id)
      })
    return {
      record: (failures) => change((on, store) => keep(database, on, store, failures)),
      settle: (sequences) => change((on, store) => settle(database, on, store, sequences))
    }
  }

  const inTransaction = <A, E, R>(use: (transaction: ControlledTransaction<DB>) => Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(begin, use, (transaction, exit) =>
      Exit.isSuccess(exit) ? Effect.void : rollBack(database, transaction)
    )

  return {
    transaction: (work) =>
      inTransaction((transaction) =>
        Effect.flatMap(
          work({ contain: containIn(dialect, transaction, conflicts), failures: failuresIn(transaction) }),
          (processed) => commit(transaction, processed)
        )
      ),
    rewind: (work) =>
      inTransaction((transaction) =>
        Effect.gen(function* () {
          yield* work(containIn(dialect, transaction, conflicts))
          const on = transaction.withoutPlugins() as unknown as Connection
          const isDone = yield* within(dialect, () => rewindIn(database, on, { storeId, token }))
          if (!isDone) return yield* new LeaseLostError({ storeId })
          yield* end(database, transaction)
          yield* within(dialect, () => transaction.commit().execute())
        })
      )
  }
}
