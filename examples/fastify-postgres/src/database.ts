import { Kysely, PostgresDialect } from "kysely"
import pg from "pg"

/** Who may log in. All members of a team share its notes. */
interface UserTable {
  name: string
  team: string
  password: string
}

/** Who is logged in. */
interface SessionTable {
  token: string
  user_name: string
}

/** The notes as they are now: what follows from the events. */
interface NoteTable {
  team: string
  id: string
  text: string
  removed: boolean
  /** The id of the entry that wrote the text. */
  written_by: string
  edits: number
}

/** The app's own tables. Those of the event log are none of its business. */
export interface AppDatabase {
  users: UserTable
  sessions: SessionTable
  notes: NoteTable
}

/** Connects to PostgreSQL. */
export const openDatabase = (connectionString: string): Kysely<AppDatabase> => {
  const pool = new pg.Pool({ connectionString })
  // A connection that is lost, idle or in use, ends the process where nobody listens to its errors.
  pool.on("error", () => {})
  pool.on("connect", (client) => client.on("error", () => {}))
  return new Kysely<AppDatabase>({ dialect: new PostgresDialect({ pool }) })
}
