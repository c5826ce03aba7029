import { join } from "node:path"
import {
  createMysqlDatabase,
  createPostgresDatabase,
  mysqlMissing,
  type OwnDatabase,
  ownMysqlMissing,
  ownPostgresMissing,
  postgresMissing,
  startMysql,
  startPostgres,
  temporaryFolder
} from "@eventlog-server/testkit/databases"
import { unlessRequired } from "@eventlog-server/testkit/skipping"
import { onTestFinished } from "vitest"

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
  const { path, remove } = await temporaryFolder()
  onTestFinished(remove)
  return join(path, name)
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
    away: unlessRequired(await postgresMissing()),
    flags: async () => {
      const database = await createPostgresDatabase()
      onTestFinished(database.drop)
      return ["--storage", "postgres", "--url", database.url, "--listen"]
    }
  },
  {
    name: "mysql",
    away: unlessRequired(await mysqlMissing()),
    flags: async () => {
      const database = await createMysqlDatabase()
      onTestFinished(database.drop)
      return ["--storage", "mysql", "--url", database.url]
    }
  }
]

/** The database servers that tests crash. */
export const servers: ReadonlyArray<{
  readonly name: string
  /** Why none can be started, if so. */
  readonly away: string | undefined
  readonly open: () => Promise<OwnDatabase>
  readonly flags: (url: string) => ReadonlyArray<string>
}> = [
  {
    name: "PostgreSQL",
    away: unlessRequired(ownPostgresMissing()),
    open: startPostgres,
    flags: (url) => ["--storage", "postgres", "--url", url, "--listen"]
  },
  {
    name: "MariaDB",
    away: unlessRequired(ownMysqlMissing()),
    open: startMysql,
    flags: (url) => ["--storage", "mysql", "--url", url]
  }
]
