import { join } from "node:path"
import { BackendAwayError } from "@eventlog-server/core/conformance"
import type { Kysely } from "kysely"
import { onTestFinished } from "vitest"
import { type DialectName, ensureSchema, type TableOptions } from "../../src/index.ts"
import { dropSchema, freshSchema, openPostgres, requirePostgres } from "./postgres.ts"
import { openSqlite, temporaryFolder } from "./sqlite.ts"

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
  const schema = freshSchema()
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

const postgresIsAway = await requirePostgres().then(
  () => undefined,
  (error: unknown) => {
    if (error instanceof BackendAwayError && process.env.CI !== "true") return error.message
    throw error
  }
)

/** The databases that tests run on, and why one can't be. */
export const databases: ReadonlyArray<{
  readonly name: string
  readonly open: OpenDatabase
  readonly away: string | undefined
}> = [
  { name: "postgres", open: openPostgresDatabase, away: postgresIsAway },
  { name: "sqlite", open: openSqliteDatabase, away: undefined }
]
