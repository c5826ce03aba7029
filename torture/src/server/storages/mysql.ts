import { Kysely, MysqlDialect } from "kysely"
import { createPool } from "mysql2"
import { openKysely } from "./kysely.ts"
import type { Open } from "./openStorage.ts"

/** Keeps everything in a MariaDB database. */
export const mysql: Open = async (uri, isTransactional) => {
  const pool = createPool({ uri, connectionLimit: 8 })
  const db = new Kysely<unknown>({ dialect: new MysqlDialect({ pool }) })
  return openKysely(db, { dialect: "mysql" }, isTransactional)
}
