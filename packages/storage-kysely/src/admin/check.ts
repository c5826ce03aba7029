import { StorageError } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { type RawBuilder, sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { columnsOf, type EventLogTables } from "../schema/tables.ts"
import { readId } from "./identity.ts"

const unreachable =
  "See whether the database is running, and whether the Kysely instance has the right address, user and database"
const noTables = "Run ensureSchema, or the package's migrations, before the server starts"

/** Something that has to work, and what to do where it doesn't, if it isn't that the database is away. */
interface Requirement {
  readonly statement: RawBuilder<unknown>
  /** Whether it has to select something. */
  readonly selects: boolean
  readonly advice: string
}

/** A column that is named without its table is a text to SQLite where there is none. */
const selectNothing = ({ tables }: Database, name: keyof EventLogTables): RawBuilder<unknown> =>
  sql`select ${sql.join(columnsOf[name].map((column) => sql.ref(`one.${column}`)))} from ${tables[name]} as one where 1 = 0`

const requirements = (database: Database): ReadonlyArray<Requirement> => {
  const { name, statement } = database.dialect.probe
  const otherDatabase = `The Kysely instance isn't one for ${name}: give kyselyBackend the dialect of its database`
  const tableNames = Object.keys(columnsOf) as ReadonlyArray<keyof EventLogTables>
  return [
    { statement: sql`select 1`, selects: true, advice: unreachable },
    { statement, selects: true, advice: otherDatabase },
    ...tableNames.map((table) => ({ statement: selectNothing(database, table), selects: false, advice: noTables }))
  ]
}

const execute = async ({ connection }: Database, { selects, statement }: Requirement): Promise<void> => {
  const { rows } = await statement.execute(connection)
  if (selects && rows.length === 0) throw new Error("The database answers as another one would")
}

const expectWorks = (database: Database, requirement: Requirement): Effect.Effect<void, StorageError> =>
  Effect.mapError(
    attempt(database, "FeedAdmin.check", () => execute(database, requirement)),
    ({ cause, operation, retryable }) =>
      new StorageError({ operation, retryable, cause, advice: retryable ? unreachable : requirement.advice })
  )

/**
 * `FeedAdmin.check`: the database answers, it is the one that was declared, the tables are there with their columns, and the
 * identity is in its table.
 */
export const check = (database: Database): Effect.Effect<void, StorageError> =>
  Effect.forEach(requirements(database), (requirement) => expectWorks(database, requirement), { discard: true }).pipe(
    Effect.andThen(Effect.asVoid(readId(database)))
  )
