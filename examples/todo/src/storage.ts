import { ensureSchema, kyselyBackend } from "@eventlog-server/storage-kysely"
import Database from "better-sqlite3"
import { Kysely, SqliteDialect } from "kysely"

/** Keeps the event log in a SQLite file; `:memory:` keeps it in this process only. */
export const openStorage = async (file: string) => {
  const database = new Database(file)
  // Readers and the writer don't wait for each other, and a commit is one write.
  database.pragma("journal_mode = wal")
  const db = new Kysely({ dialect: new SqliteDialect({ database }) })
  await ensureSchema(db, { dialect: "sqlite" })
  return { backend: kyselyBackend({ db, dialect: "sqlite" }), close: () => db.destroy() }
}
