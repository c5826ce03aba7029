import { setImmediate as othersTurn } from "node:timers/promises"
import { withMysql } from "@eventlog-server/testkit/databases"
import Database from "better-sqlite3"
import pg from "pg"

/** Runs the statement that it was made for, with some values; resolves when that is committed. */
type Run = (values: Array<unknown>) => Promise<unknown>

/** How to run one statement again and again in one kind of database, prepared, on a connection of its own. */
interface Inserter {
  readonly open: (url: string, text: string) => Promise<Run>
  readonly placeholder: (position: number) => string
}

const onPostgres: Inserter = {
  placeholder: (position) => `$${position}`,
  open: async (connectionString, text) => {
    const client = new pg.Client({ connectionString })
    await client.connect()
    return (values) => client.query({ name: "insert", text, values })
  }
}

const onMariadb: Inserter = {
  placeholder: () => "?",
  open: (url, text) =>
    new Promise((resolve, reject) => {
      // The connection lives as long as this process.
      withMysql(url, async (connection) => {
        resolve((values) => connection.execute(text, values as Array<Buffer>))
        await new Promise(() => {})
      }).catch(reject)
    })
}

/** As durable as in our server. */
const onSqlite: Inserter = {
  placeholder: () => "?",
  open: async (path, text) => {
    const database = new Database(path)
    database.pragma("journal_mode = wal")
    database.pragma("synchronous = full")
    const statement = database.prepare(text)
    return async (values) => {
      statement.run(values)
      // It blocks the thread, which has a clock to look at.
      await othersTurn()
    }
  }
}

/** How INSERTs are run in each database. */
export const inserters = {
  postgres: onPostgres,
  mariadb: onMariadb,
  sqlite: onSqlite
} satisfies Record<string, Inserter>

/** A database that takes INSERTs. */
export type InsertingDatabase = keyof typeof inserters
