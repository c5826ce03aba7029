import { createConnection } from "mysql2/promise"
import type { StorageInUse } from "./StorageInUse.ts"

/** Where databases may be made: `MARIADB_URL`, or a server on this machine that wants no password. */
const adminUrl = process.env.MARIADB_URL ?? "mysql://root@127.0.0.1:3306"

const administer = async (statement: string): Promise<void> => {
  const connection = await createConnection(adminUrl)
  try {
    await connection.query(statement)
  } finally {
    await connection.end()
  }
}

let count = 0

/** Makes a database. */
export const openMariadb = async (): Promise<StorageInUse> => {
  const name = `eventlog_bench_${process.pid}_${count++}`
  await administer(`create database ${name}`)
  const url = Object.assign(new URL(adminUrl), { pathname: `/${name}` }).href
  return {
    flags: ["--storage", "mysql", "--url", url],
    url,
    close: () => administer(`drop database ${name}`)
  }
}
