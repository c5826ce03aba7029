import { Kysely, PostgresDialect } from "kysely"
import pg from "pg"
import { openKysely } from "./kysely.ts"
import type { Open } from "./openStorage.ts"

/** Keeps everything in a PostgreSQL database, and listens for what others write. */
export const postgres: Open = async (connectionString, isTransactional) => {
  const pool = new pg.Pool({ connectionString, max: 8 })
  // A connection that is lost, idle or in use, ends the process where nobody listens to its errors.
  pool.on("error", () => {})
  pool.on("connect", (client) => client.on("error", () => {}))
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  return openKysely(db, { dialect: "postgres", listen: () => new pg.Client({ connectionString }) }, isTransactional)
}
