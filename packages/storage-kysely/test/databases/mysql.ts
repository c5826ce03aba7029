import { BackendAwayError } from "@eventlog-server/core/conformance"
import { mysqlMissing, mysqlUrl } from "@eventlog-server/testkit/databases"
import { Kysely, MysqlDialect } from "kysely"
import { createPool, type PoolOptions } from "mysql2"

/** A Kysely instance as an app would have it. */
export const openMysql = (options: PoolOptions = {}): Kysely<unknown> =>
  new Kysely<unknown>({
    dialect: new MysqlDialect({ pool: createPool({ uri: mysqlUrl, connectionLimit: 8, ...options }) })
  })

/** Tells the suites that there is no MariaDB to test with. */
export const requireMysql = async (): Promise<void> => {
  const missing = await mysqlMissing()
  if (missing !== undefined) throw new BackendAwayError(missing)
}
