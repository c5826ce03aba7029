import { DatabaseSync } from "node:sqlite"
import { Effect, type Scope, Semaphore, Stream } from "effect"
import { type EventJournal, SqlEventJournal } from "effect/eventlog"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, SqlError, Statement } from "effect/sql"

const connectionOf = (database: DatabaseSync): SqlConnection.Connection => {
  const run = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.try({
      try: () => database.prepare(sql).all(...(params as Array<Uint8Array | string | number>)),
      catch: (cause) => new SqlError.SqlError({ reason: SqlError.classifySqliteError(cause) })
    })
  const values = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.map(run(sql, params), (rows) => rows.map((row) => Object.values(row)))
  return {
    execute: run,
    executeRaw: run,
    executeUnprepared: run,
    executeValues: values,
    executeValuesUnprepared: values,
    executeStream: (sql, params) => Stream.fromIterableEffect(run(sql, params))
  }
}

/** effect's SQL client on a file, until the scope closes. effect 4.1 has no SQLite driver on npm. */
export const openSqlite = (file: string): Effect.Effect<SqlClient.SqlClient, never, Scope.Scope> =>
  Effect.gen(function* () {
    const database = yield* Effect.acquireRelease(
      Effect.sync(() => new DatabaseSync(file)),
      (database) => Effect.sync(() => database.close())
    )
    return yield* SqlClient.make({
      ...SqlClient.makeSqliteAcquirers({
        connection: Effect.succeed(connectionOf(database)),
        semaphore: Semaphore.makeUnsafe(1)
      }),
      compiler: Statement.makeCompilerSqlite(),
      driver: "node:sqlite",
      spanAttributes: []
    }).pipe(Effect.provide(Reactivity.layer))
  })

/** effect's SQL journal. */
export const openSqlJournal = (client: SqlClient.SqlClient): Effect.Effect<EventJournal.EventJournal["Service"]> =>
  SqlEventJournal.make().pipe(Effect.provideService(SqlClient.SqlClient, client), Effect.orDie)
