import { BackendAwayError } from "@eventlog-server/core/conformance"
import { Kysely, MysqlDialect, sql } from "kysely"
import { createPool, type PoolOptions } from "mysql2"

/** Where the tests find MariaDB or MySQL: a server on which they may make databases. */
export const mysqlUrl = process.env.MYSQL_URL ?? "mysql://root@127.0.0.1:3306/test"

/** A Kysely instance as an app would have it. */
export const openMysql = (options: PoolOptions = {}): Kysely<unknown> =>
  new Kysely<unknown>({
    dialect: new MysqlDialect({ pool: createPool({ uri: mysqlUrl, connectionLimit: 8, ...options }) })
  })

/** Tells the tests' own failures from those of a server that isn't there. */
export const requireMysql = async (): Promise<void> => {
  const db = openMysql({ connectionLimit: 1, connectTimeout: 5_000 })
  await sql`select 1`
    .execute(db)
    .catch((cause) => {
      throw new BackendAwayError(`No MariaDB at ${mysqlUrl}: start one, or set MYSQL_URL`, { cause })
    })
    .finally(() => db.destroy())
}

/** Drops a test's database and whatever is in it. */
export const dropDatabase = async (db: Kysely<unknown>, name: string): Promise<void> => {
  await sql`drop database if exists ${sql.id(name)}`.execute(db)
}

/** Makes a database that no other test, run or process uses. */
export const createDatabase = async (db: Kysely<unknown>): Promise<string> => {
  const name = `eventlog_test_${crypto.randomUUID().replaceAll("-", "")}`
  await sql`create database ${sql.id(name)}`.execute(db)
  return name
}
