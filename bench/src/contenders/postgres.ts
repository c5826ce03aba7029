import pg from "pg"
import type { StorageInUse } from "./StorageInUse.ts"

/** Where databases may be made: `POSTGRES_URL`, or a server on this machine that trusts everybody. */
const adminUrl = process.env.POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/postgres"

const administer = async (statement: string): Promise<void> => {
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

let count = 0

/** Makes a database. */
export const openPostgres = async (): Promise<StorageInUse> => {
  const name = `eventlog_bench_${process.pid}_${count++}`
  await administer(`create database ${name}`)
  const url = Object.assign(new URL(adminUrl), { pathname: `/${name}` }).href
  return {
    flags: ["--storage", "postgres", "--url", url, "--listen"],
    url,
    close: () => administer(`drop database ${name} with (force)`)
  }
}
