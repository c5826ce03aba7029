import { BackendAwayError } from "@eventlog-server/core/conformance"
import { postgresMissing, postgresUrl } from "@eventlog-server/testkit/databases"
import { type CompiledQuery, Kysely, PostgresDialect, sql } from "kysely"
import { Pool, type PoolConfig } from "pg"

/** Tells the suites that there is no PostgreSQL to test with. */
export const requirePostgres = async (): Promise<void> => {
  const missing = await postgresMissing()
  if (missing !== undefined) throw new BackendAwayError(missing)
}

/**
 * A Kysely instance as an app would have it: a connection that is lost must not end the process, idle or in use.
 *
 * @param onStatement called with every statement
 */
export const openPostgres = (options: PoolConfig = {}, onQuery?: (query: CompiledQuery) => void): Kysely<unknown> => {
  const pool = new Pool({ connectionString: postgresUrl, max: 8, ...options })
  pool.on("error", () => {})
  pool.on("connect", (client) => client.on("error", () => {}))
  return new Kysely<unknown>({ dialect: new PostgresDialect({ pool }), log: ({ query }) => onQuery?.(query) })
}

/** Drops a test's schema and whatever is in it. */
export const dropSchema = async (db: Kysely<unknown>, schema: string): Promise<void> => {
  await sql`drop schema if exists ${sql.id(schema)} cascade`.execute(db)
}
