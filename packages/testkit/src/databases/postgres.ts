import pg from "pg"
import { freshName } from "./freshName.ts"

/** Where the tests find PostgreSQL: a database that they may make schemas in, of a server where they may make databases. */
export const postgresUrl = process.env.POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/test"

/** Works on a connection of its own. */
export const withPostgres = async <A>(url: string, work: (client: pg.Client) => Promise<A>): Promise<A> => {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on("error", () => {})
  try {
    await client.connect()
    return await work(client)
  } finally {
    await client.end().catch(() => {})
  }
}

let asked: Promise<string | undefined> | undefined

/** Why there is no PostgreSQL to test with, and how to get it; `undefined` when there is. */
export const postgresMissing = (): Promise<string | undefined> => {
  asked ??= withPostgres(postgresUrl, async () => {}).then(
    () => undefined,
    () => `No PostgreSQL at ${postgresUrl}: start one, or set POSTGRES_URL`
  )
  return asked
}

const urlOf = (database: string): string => Object.assign(new URL(postgresUrl), { pathname: `/${database}` }).href

/** The database that every server has. */
const serverUrl = urlOf("postgres")

/** Makes a database that no other test, run or process uses. */
export const createPostgresDatabase = async () => {
  const name = freshName()
  const url = urlOf(name)
  await withPostgres(serverUrl, (client) => client.query(`create database ${name}`))
  return {
    url,
    rows: (query: string): Promise<ReadonlyArray<Record<string, unknown>>> =>
      withPostgres(url, async (client) => (await client.query(query)).rows),
    drop: async (): Promise<void> => {
      await withPostgres(serverUrl, (client) => client.query(`drop database ${name} with (force)`))
    }
  }
}
