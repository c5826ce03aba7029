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

/** A storage that survives the process which uses it. */
export interface DurableStorage {
  readonly name: string
  /** Why it can't be tested, if so. */
  readonly away: string | undefined
  /** Opens one, empty, until the test is over; answers the flags that name it. */
  readonly flags: () => Promise<ReadonlyArray<string>>
}

/** A file of a folder of its own, until the test is over. */
const temporaryFile = async (name: string): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "eventlog-server-"))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return join(folder, name)
}

/** Keeps everything in one process, and in files. */
export const pglite: DurableStorage = {
  name: "pglite",
  away: undefined,
  flags: async () => ["--storage", "pglite", "--url", await temporaryFile("feeds")]
}

/** The storages that several processes can share. */
export const storages: ReadonlyArray<DurableStorage> = [
  {
    name: "sqlite",
    away: undefined,
    flags: async () => ["--storage", "sqlite", "--url", await temporaryFile("feeds.db")]
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
