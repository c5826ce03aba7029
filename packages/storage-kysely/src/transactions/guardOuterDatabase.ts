import { Effect, type Scope } from "effect"
import type { Kysely } from "kysely"
import { isInsideHandler } from "./handle.ts"

/** A handler used the app's database beside its transaction, on a database that has a single connection. */
export class OuterDatabaseError extends Error {
  override readonly name = "OuterDatabaseError"

  constructor() {
    super("An event handler waits for the connection that its own transaction holds: use the transaction instead of db")
  }
}

/**
 * Makes an error of what would wait for ever, until the scope closes: a handler whose transaction holds the only connection
 * asks the app's own `db` for another one. Instances that the app derived from it (`withSchema`, `withPlugin`) are not
 * covered: what they wait for ends when the handler runs out of time.
 */
export const guardOuterDatabase = <DB>(db: Kysely<DB>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const executor = db.getExecutor()
    const provideConnection = executor.provideConnection.bind(executor)
    const guarded: typeof provideConnection = async (consumer, options) => {
      if (isInsideHandler()) throw new OuterDatabaseError()
      return provideConnection(consumer, options)
    }
    return Effect.acquireRelease(
      Effect.sync(() => void Object.assign(executor, { provideConnection: guarded })),
      () => Effect.sync(() => void Object.assign(executor, { provideConnection }))
    )
  })
