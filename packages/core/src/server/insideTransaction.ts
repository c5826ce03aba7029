import { Data, Effect } from "effect"
import { CurrentTransaction } from "../backend/CurrentTransaction.ts"

/**
 * A handler that runs in a transaction called the server. That would wait for what the transaction itself holds, or do
 * what isn't undone with it. A handler writes through its transaction; what else is to be done can wait until it is
 * committed.
 */
export class InsideTransactionError extends Data.TaggedError("InsideTransactionError")<{
  /** The member of the server. */
  readonly operation: string
}> {
  override get message(): string {
    return `server.${this.operation} can't be called by a handler that runs in a transaction`
  }
}

/** Fails within a handler that runs in a transaction. */
export const outsideTransactions = (operation: string): Effect.Effect<void, InsideTransactionError> =>
  Effect.flatMap(CurrentTransaction, (transaction) =>
    transaction === undefined ? Effect.void : Effect.fail(new InsideTransactionError({ operation }))
  )
