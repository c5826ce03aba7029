import { migrations as eventLogMigrations } from "@eventlog-server/storage-kysely"
import type { Kysely } from "kysely"
import { type Migration, Migrator, type MigratorProps } from "kysely/migration"
import type { AppDatabase } from "./database.ts"

const users: Migration = {
  up: async (db) => {
    await db.schema
      .createTable("users")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("team", "text", (column) => column.notNull())
      .addColumn("password", "text", (column) => column.notNull())
      .execute()
    await db.schema
      .createTable("sessions")
      .addColumn("token", "text", (column) => column.primaryKey())
      .addColumn("user_name", "text", (column) => column.notNull().references("users.name").onDelete("cascade"))
      .execute()
  }
}

const notes: Migration = {
  up: async (db) => {
    await db.schema
      .createTable("notes")
      .addColumn("team", "text", (column) => column.notNull())
      .addColumn("id", "text", (column) => column.notNull())
      .addColumn("text", "text", (column) => column.notNull())
      .addColumn("removed", "boolean", (column) => column.notNull())
      .addColumn("written_by", "text", (column) => column.notNull())
      .addColumn("edits", "integer", (column) => column.notNull())
      .addPrimaryKeyConstraint("notes_by_id", ["team", "id"])
      .execute()
  }
}

const run = async (props: MigratorProps): Promise<void> => {
  const { error } = await new Migrator(props).migrateToLatest()
  if (error !== undefined) throw error
}

/** Brings the app's tables and those of the event log up to date; each has books of its own. */
export const migrate = async (db: Kysely<AppDatabase>): Promise<void> => {
  await run({ db, provider: { getMigrations: async () => ({ "0001_users": users, "0002_notes": notes }) } })
  await run({ db, ...eventLogMigrations({ dialect: "postgres" }) })
}
