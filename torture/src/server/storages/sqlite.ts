import Database from "better-sqlite3"
import { Kysely, SqliteDialect } from "kysely"
import { openKysely } from "./kysely.ts"
import type { Open } from "./openStorage.ts"

/** What SQLite takes for no limit. */
const unlimitedPages = 4_294_967_294

/** Keeps everything in a file. */
export const sqlite: Open = async (file, isTransactional) => {
  const database = new Database(file)
  database.pragma("journal_mode = wal")
  database.pragma("busy_timeout = 5000")
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database }) })
  const storage = await openKysely(db, { dialect: "sqlite" }, isTransactional)
  return {
    ...storage,
    // A limit below what there is means that nothing may grow any more.
    setFull: (isFull) => void database.pragma(`max_page_count = ${isFull ? 1 : unlimitedPages}`)
  }
}
