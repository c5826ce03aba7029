import Database from "better-sqlite3"
import { Kysely, SqliteDialect } from "kysely"

/** Something to buy, as the server's own queries see it. SQLite has no booleans. */
interface GroceryTable {
  household: string
  id: string
  name: string
  count: number
  bought: number
}

/** The app's own table. Those of the event log are none of its business. */
export interface AppDatabase {
  groceries: GroceryTable
}

/** Opens a SQLite file. */
export const openDatabase = async (file: string): Promise<Kysely<AppDatabase>> => {
  const database = new Database(file)
  database.pragma("journal_mode = wal")
  database.pragma("synchronous = full")
  const db = new Kysely<AppDatabase>({ dialect: new SqliteDialect({ database }) })
  await db.schema
    .createTable("groceries")
    .ifNotExists()
    .addColumn("household", "text", (column) => column.notNull())
    .addColumn("id", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("count", "real", (column) => column.notNull())
    .addColumn("bought", "integer", (column) => column.notNull())
    .addPrimaryKeyConstraint("groceries_key", ["household", "id"])
    .execute()
  return db
}
