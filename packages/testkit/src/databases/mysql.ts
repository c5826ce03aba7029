import { type Connection, createConnection } from "mysql2/promise"
import { freshName } from "./freshName.ts"

/** Where the tests find MariaDB or MySQL: a server where they may make databases. */
export const mysqlUrl = process.env.MYSQL_URL ?? "mysql://root@127.0.0.1:3306/test"

/** Works on a connection of its own. */
export const withMysql = async <A>(uri: string, work: (connection: Connection) => Promise<A>): Promise<A> => {
  const connection = await createConnection({ uri, connectTimeout: 5_000 })
  connection.on("error", () => {})
  try {
    return await work(connection)
  } finally {
    connection.destroy()
  }
}

let asked: Promise<string | undefined> | undefined

/** Why there is no MariaDB to test with, and how to get it; `undefined` when there is. */
export const mysqlMissing = (): Promise<string | undefined> => {
  asked ??= withMysql(mysqlUrl, async () => {}).then(
    () => undefined,
    () => `No MariaDB at ${mysqlUrl}: start one, or set MYSQL_URL`
  )
  return asked
}

const urlOf = (database: string): string => Object.assign(new URL(mysqlUrl), { pathname: `/${database}` }).href

const serverUrl = urlOf("")

/** Makes a database that no other test, run or process uses. */
export const createMysqlDatabase = async () => {
  const name = freshName()
  await withMysql(serverUrl, (connection) => connection.query(`create database ${name}`))
  return {
    name,
    url: urlOf(name),
    drop: async (): Promise<void> => {
      await withMysql(serverUrl, (connection) => connection.query(`drop database if exists ${name}`))
    }
  }
}
