import { BackendAwayError } from "@eventlog-server/core/conformance"
import { Kysely, PostgresDialect, sql } from "kysely"
import { Client, Pool, type PoolConfig } from "pg"

/** Where the tests find PostgreSQL: a database that they may make schemas in. */
export const postgresUrl = process.env.POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/test"

/** Tells the tests' own failures from those of a server that isn't there. */
export const requirePostgres = async (): Promise<void> => {
  const client = new Client({ connectionString: postgresUrl, connectionTimeoutMillis: 5_000 })
  client.on("error", () => {})
  await client.connect().catch((cause) => {
    throw new BackendAwayError(`No PostgreSQL at ${postgresUrl}: start one, or set POSTGRES_URL`, { cause })
  })
  await client.end()
}

/**
 * A Kysely instance as an app would have it: a connection that is lost must not end the process, idle or in use.
 *
 * @param onStatement called with every statement
 */
export const openPostgres = (options: PoolConfig = {}, onStatement?: (statement: string) => void): Kysely<unknown> => {
  const pool = new Pool({ connectionString: postgresUrl, max: 8, ...options })
  pool.on("error", () => {})
  pool.on("connect", (client) => client.on("error", () => {}))
  return new Kysely<unknown>({ dialect: new PostgresDialect({ pool }), log: ({ query }) => onStatement?.(query.sql) })
}

/** A schema that no other test, run or process uses. */
export const freshSchema = (): string => `eventlog_test_${crypto.randomUUID().replaceAll("-", "")}`

/** Drops a test's schema and whatever is in it. */
export const dropSchema = async (db: Kysely<unknown>, schema: string): Promise<void> => {
  await sql`drop schema if exists ${sql.id(schema)} cascade`.execute(db)
}
