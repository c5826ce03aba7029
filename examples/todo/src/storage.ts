import { ensureSchema, kyselyBackend } from "@eventlog-server/storage-kysely"
import Database from "better-sqlite3"
import { Kysely, SqliteDialect } from "kysely"

/** Keeps the event log in a SQLite file; `:memory:` keeps it in this process only. */
export const openStorage = async (file: string) => {
  const database = new Database(file)
  // Readers and the writer don't wait for each other, and what is acknowledged survives a power failure.
  database.pragma("journal_mode = wal")
  database.pragma("synchronous = full")
  const db = new Kysely({ dialect: new SqliteDialect({ database }) })
  await ensureSchema(db, { dialect: "sqlite" })
  return { backend: kyselyBackend({ db, dialect: "sqlite" }), close: () => db.destroy() }
}
