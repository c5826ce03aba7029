import Database from "better-sqlite3"
import { Kysely, SqliteDialect } from "kysely"

/** How a test opens a file. */
export interface SqliteOptions {
  /** @default "wal" */
  readonly journal?: "wal" | "delete"
  /** How long a statement waits for another process, in milliseconds; the whole process waits. @default 1000 */
  readonly timeout?: number
}

/** A Kysely instance as an app would have it. */
export const openSqlite = (file: string, { journal = "wal", timeout = 1_000 }: SqliteOptions = {}): Kysely<unknown> => {
  const database = new Database(file, { timeout })
  database.pragma(`journal_mode = ${journal}`)
  // Three times the work of a write-ahead log, for tests that don't ask what survives a power failure.
  if (journal === "delete") database.pragma("synchronous = off")
  return new Kysely<unknown>({ dialect: new SqliteDialect({ database }) })
}
