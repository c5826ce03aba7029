import pg from "pg"

const serverUrl = process.env.POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/test"

const connect = async (connectionString: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 })
  client.on("error", () => {})
  await client.connect()
  return client
}

/** Why there is no PostgreSQL to test with, and what to do about it; `undefined` when there is. */
export const postgresMissing: string | undefined = await connect(serverUrl).then(
  (client) => client.end().then(() => undefined),
  () => `No PostgreSQL at ${serverUrl}: start one, or set POSTGRES_URL`
)

/** Makes a database of its own for a test, and a connection to look into it. */
export const createDatabase = async () => {
  const name = `notebook_${crypto.randomUUID().replaceAll("-", "")}`
  const admin = await connect(serverUrl)
  await admin.query(`create database ${name}`)
  const url = new URL(serverUrl)
  url.pathname = name
  const client = await connect(url.href)
  return {
    url: url.href,
    rows: async (query: string): Promise<ReadonlyArray<Record<string, unknown>>> => (await client.query(query)).rows,
    drop: async () => {
      await client.end()
      await admin.query(`drop database ${name} with (force)`)
      await admin.end()
    }
  }
}
