import { join } from "node:path"
import {
  createMysqlDatabase,
  freshName,
  mysqlMissing,
  postgresMissing,
  temporaryFolder
} from "@eventlog-server/testkit/databases"
import { unlessRequired } from "@eventlog-server/testkit/skipping"
import { type Kysely, sql } from "kysely"
import { onTestFinished } from "vitest"
import { type DialectName, ensureSchema, type TableOptions } from "../../src/index.ts"
import { openMysql } from "./mysql.ts"
import { openPglite } from "./pglite.ts"
import { dropSchema, openPostgres } from "./postgres.ts"
import { openSqlite } from "./sqlite.ts"

/** An app's database with the package's tables in it, until the test is over. */
export interface TestDatabase<DB> {
  readonly db: Kysely<DB>
  /** What the package is told of it. */
  readonly options: TableOptions & { readonly dialect: DialectName }
  /** Another instance on the same database, as another process would have it. */
  readonly openAnother: () => Kysely<DB>
}

/** Opens a database of its own for a test. @param connections how many the app has */
export type OpenDatabase = <DB>(connections?: number) => Promise<TestDatabase<DB>>

const typed = <DB>(db: Kysely<unknown>): Kysely<DB> => db as Kysely<DB>

const openPostgresDatabase: OpenDatabase = async <DB>(connections = 4) => {
  const schema = freshName()
  const openAnother = () => {
    const db = openPostgres({ max: connections, options: `-c search_path=${schema}` })
    onTestFinished(() => db.destroy())
    return typed<DB>(db)
  }
  const admin = openPostgres({ max: 1 })
  onTestFinished(async () => {
    await dropSchema(admin, schema)
    await admin.destroy()
  })
  const options = { dialect: "postgres", schema } as const
  await ensureSchema(admin, options)
  return { db: openAnother(), options, openAnother }
}

const openMysqlDatabase: OpenDatabase = async <DB>(connections = 4) => {
  const { drop, url } = await createMysqlDatabase()
  onTestFinished(drop)
  const openAnother = () => {
    const db = openMysql({ uri: url, connectionLimit: connections })
    onTestFinished(() => db.destroy())
    return typed<DB>(db)
  }
  const db = openAnother()
  const options = { dialect: "mysql" } as const
  await ensureSchema(db, options)
  return { db, options, openAnother }
}

const openPgliteDatabase: OpenDatabase = async <DB>() => {
  const openAnother = () => typed<DB>(openPglite())
  const db = openAnother()
  onTestFinished(async () => {
    await sql`drop schema public cascade`.execute(db)
    await sql`create schema public`.execute(db)
  })
  const options = { dialect: "pglite" } as const
  await ensureSchema(db, options)
  return { db, options, openAnother }
}

const openSqliteDatabase: OpenDatabase = async <DB>() => {
  const folder = await temporaryFolder()
  onTestFinished(folder.remove)
  const openAnother = () => {
    const db = openSqlite(join(folder.path, "eventlog.db"), { timeout: 0 })
    onTestFinished(() => db.destroy())
    return typed<DB>(db)
  }
  const db = openAnother()
  const options = { dialect: "sqlite" } as const
  await ensureSchema(db, options)
  return { db, options, openAnother }
}

/** A database that tests run on. */
export interface DatabaseKind {
  readonly name: DialectName
  readonly open: OpenDatabase
  /** Why there is none, if so. */
  readonly away: string | undefined
  /** Whether an app has one connection only, which a transaction holds. */
  readonly singleConnection: boolean
  /** What the driver calls a transaction that met another. */
  readonly conflict: string
}

/** The databases that tests run on, and why one can't be. */
export const databases: ReadonlyArray<DatabaseKind> = [
  {
    name: "postgres",
    open: openPostgresDatabase,
    away: unlessRequired(await postgresMissing()),
    singleConnection: false,
    conflict: "40001"
  },
  {
    name: "mysql",
    open: openMysqlDatabase,
    away: unlessRequired(await mysqlMissing()),
    singleConnection: false,
    conflict: "ER_LOCK_DEADLOCK"
  },
  { name: "pglite", open: openPgliteDatabase, away: undefined, singleConnection: true, conflict: "40001" },
  {
    name: "sqlite",
    open: openSqliteDatabase,
    away: undefined,
    singleConnection: true,
    conflict: "SQLITE_BUSY_SNAPSHOT"
  }
]
