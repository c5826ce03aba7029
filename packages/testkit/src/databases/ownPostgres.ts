import { execFile, spawnSync } from "node:child_process"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { freePort } from "../network/freePort.ts"
import { DatabaseProcess } from "./DatabaseProcess.ts"
import { makeFolder, type OwnDatabase, ownDatabase, userInsteadOfRoot } from "./ownDatabase.ts"
import { withPostgres } from "./postgres.ts"

const run = promisify(execFile)

/** Where Debian keeps the programs of its newest PostgreSQL; elsewhere they are on the path. */
const findFolder = (): string => {
  const debian = "/usr/lib/postgresql"
  const [newest] = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  return newest === undefined ? "" : join(debian, newest, "bin")
}

const program = (name: string): string => join(process.env.POSTGRES_BIN ?? findFolder(), name)

/** Why no PostgreSQL can be started, and how to get it; `undefined` when one can. */
export const ownPostgresMissing = (): string | undefined =>
  spawnSync(program("initdb"), ["--version"]).error === undefined
    ? undefined
    : `No ${program("initdb")}: install PostgreSQL (apt-get install postgresql), or set POSTGRES_BIN`

/** Starts a PostgreSQL on what a program puts into its folder, and waits until it takes commands. */
const startFilled = async (filler: string, args: ReadonlyArray<string>): Promise<OwnDatabase> => {
  const user = userInsteadOfRoot("postgres")
  const folder = await makeFolder("postgres", user)
  await run(program(filler), ["-D", folder, ...args], { cwd: folder, ...user })
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const server = await DatabaseProcess.start({
    program: program("postgres"),
    args: ["-D", folder, "-h", "127.0.0.1", "-p", `${port}`, "-k", folder, "-c", "restart_after_crash=on"],
    user,
    // What SIGKILL leaves of it may keep the next from starting.
    crashSignal: "SIGQUIT",
    check: () => withPostgres(url, (client) => client.query("select 1"))
  })
  return ownDatabase(url, server, folder)
}

/** Starts a PostgreSQL, and waits until it takes commands. */
export const startPostgres = (): Promise<OwnDatabase> =>
  startFilled("initdb", ["-U", "postgres", "-A", "trust", "-E", "UTF8"])

/** Starts a replica of the PostgreSQL at a url, where it follows as soon as it takes commands. */
export const startPostgresReplica = (url: string): Promise<OwnDatabase> =>
  startFilled("pg_basebackup", ["-d", url, "--write-recovery-conf", "--checkpoint=fast"])
