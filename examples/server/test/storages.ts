import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { createMysqlDatabase, mysqlMissing, mysqlProgramsMissing, startOwnMysql } from "./mysql.ts"
import { createDatabase, postgresMissing, postgresProgramsMissing, startOwnPostgres } from "./postgres.ts"

/** A reason to leave tests out; where everything has to be there it is an error instead. */
export const unlessRequired = (missing: string | undefined): string | undefined => {
  if (missing !== undefined && process.env.CI === "true") throw new Error(missing)
  return missing
}

/** A storage that processes can share, and that survives them. */
export interface SharedStorage {
  readonly name: string
  /** Why it can't be tested, if so. */
  readonly away: string | undefined
  /** Opens one, empty, until the test is over; answers the flags that name it. */
  readonly flags: () => Promise<ReadonlyArray<string>>
}

/** The storages that tests of several processes, or of crashes, run on. */
export const storages: ReadonlyArray<SharedStorage> = [
  {
    name: "sqlite",
    away: undefined,
    flags: async () => {
      const folder = await mkdtemp(join(tmpdir(), "eventlog-server-"))
      onTestFinished(() => rm(folder, { recursive: true, force: true }))
      return ["--storage", "sqlite", "--url", join(folder, "feeds.db")]
    }
  },
  {
    name: "postgres",
    away: unlessRequired(postgresMissing),
    flags: async () => {
      const database = await createDatabase()
      onTestFinished(database.drop)
      return ["--storage", "postgres", "--url", database.url, "--listen"]
    }
  },
  {
    name: "mysql",
    away: unlessRequired(mysqlMissing),
    flags: async () => {
      const database = await createMysqlDatabase()
      onTestFinished(database.drop)
      return ["--storage", "mysql", "--url", database.url]
    }
  }
]

/** A database server of a test's own. */
export interface OwnServer {
  readonly url: string
  /** Ends it without a warning. */
  readonly crash: () => Promise<void>
  readonly start: () => Promise<void>
  readonly remove: () => Promise<void>
}

/** The database servers that tests crash. */
export const servers: ReadonlyArray<{
  readonly name: string
  /** Why none can be started, if so. */
  readonly away: string | undefined
  readonly open: () => Promise<OwnServer>
  readonly flags: (url: string) => ReadonlyArray<string>
}> = [
  {
    name: "PostgreSQL",
    away: unlessRequired(postgresProgramsMissing),
    open: startOwnPostgres,
    flags: (url) => ["--storage", "postgres", "--url", url, "--listen"]
  },
  {
    name: "MariaDB",
    away: unlessRequired(mysqlProgramsMissing),
    open: startOwnMysql,
    flags: (url) => ["--storage", "mysql", "--url", url]
  }
]
