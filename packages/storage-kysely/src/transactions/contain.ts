import { type Contain, CurrentTransaction, StorageError } from "@eventlog-server/core/backend"
import { Cause, Effect, Exit } from "effect"
import type { ControlledTransaction } from "kysely"
import type { Dialect } from "../dialects/Dialect.ts"
import { isNetworkFailure } from "../dialects/Failure.ts"
import { makeHandle } from "./handle.ts"

const operation = "Lease.transaction"

const savepoint = "eventlog_handler"

/** How often handlers that met others are run again, before that is a failure of theirs. */
const maxConflicts = 10

/** Conflicts since the last commit. */
export interface Conflicts {
  count: number
}

/** A call within the transaction. What fails here is the transaction's failure. */
export const within = <A>(dialect: Dialect, call: () => Promise<A>): Effect.Effect<A, StorageError> =>
  Effect.tryPromise({
    try: call,
    catch: (cause) => new StorageError({ operation, retryable: dialect.failureOf(cause) !== "Broken", cause })
  })

/**
 * `Contain` in a transaction: a savepoint before the handler, to which a failure goes back. A handler that met others (a
 * deadlock, a lock that wasn't free in time) takes the transaction with it, which is then tried again as a whole.
 */
export const containIn =
  <DB>(dialect: Dialect, transaction: ControlledTransaction<DB>, conflicts: Conflicts): Contain<StorageError> =>
  <A, F, R>(handler: Effect.Effect<A, F, R>) =>
    Effect.gen(function* () {
      const inside = yield* within(dialect, () => transaction.savepoint(savepoint).execute())
      const release = within(dialect, () => inside.releaseSavepoint(savepoint).execute())
      const undo = within(dialect, () => inside.rollbackToSavepoint(savepoint).execute())
      const handle = makeHandle(transaction)
      const exit = yield* handler.pipe(
        Effect.provideService(CurrentTransaction, handle.transaction),
        Effect.exit,
        Effect.ensuring(
          Effect.sync(() => {
            handle.isRevoked = true
          })
        )
      )
      // A statement that failed makes PostgreSQL refuse all that comes, also where the handler took no notice of it.
      const released: Exit.Exit<unknown, unknown> = Exit.isSuccess(exit) ? yield* Effect.exit(release) : exit
      if (Exit.isSuccess(released)) return exit
      const error = causeOf(Cause.squash(released.cause))
      if (metOthers(dialect, error) && conflicts.count < maxConflicts) {
        conflicts.count++
        return yield* new StorageError({ operation, retryable: true, cause: error })
      }
      yield* Effect.andThen(undo, release)
      return Exit.isSuccess(exit) ? Exit.fail(error as F) : exit
    })

/** Whether it is the database that kept a handler from its work. Another network's failure is the handler's own. */
const metOthers = (dialect: Dialect, error: unknown): boolean =>
  dialect.failureOf(error) !== "Broken" && !isNetworkFailure(error)

/** What the database said. */
const causeOf = (error: unknown): unknown => (error instanceof StorageError ? error.cause : error)
