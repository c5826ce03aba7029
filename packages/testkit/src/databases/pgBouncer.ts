import { spawnSync } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { freePort } from "../network/freePort.ts"
import { DatabaseProcess } from "./DatabaseProcess.ts"
import { makeFolder, type OwnDatabase, ownDatabase, userInsteadOfRoot } from "./ownDatabase.ts"
import { postgresUrl, withPostgres } from "./postgres.ts"

const program = process.env.PGBOUNCER ?? "pgbouncer"

/** Why no PgBouncer can be started, and how to get it; `undefined` when one can. */
export const pgBouncerMissing = (): string | undefined =>
  spawnSync(program, ["--version"]).error === undefined
    ? undefined
    : `No "${program}": install PgBouncer (apt-get install pgbouncer), or set PGBOUNCER`

/** Since when it passes prepared statements on between transactions. */
const firstPassing = [1, 21] as const

/** Why no PgBouncer can be started that passes prepared statements on; `undefined` when one can. */
export const passingPgBouncerMissing = (): string | undefined => {
  const missing = pgBouncerMissing()
  if (missing !== undefined) return missing
  const [version = "", major, minor] = /(\d+)\.(\d+)/.exec(`${spawnSync(program, ["--version"]).stdout}`) ?? []
  const [firstMajor, firstMinor] = firstPassing
  return Number(major) > firstMajor || (Number(major) === firstMajor && Number(minor) >= firstMinor)
    ? undefined
    : `PgBouncer ${version} passes no prepared statements on: set PGBOUNCER to one of ${firstPassing.join(".")} or later`
}

/** What a test wants of a pooler. */
export interface PgBouncerOptions {
  /** Prepared statements that it passes on for each connection; those before 1.21 don't know the setting. @default not set */
  readonly maxPreparedStatements?: number
}

/** What it is told: every transaction may get another connection, of a few, and takes prepared statements for the client's business. */
const settingsOf = (port: number, { maxPreparedStatements }: PgBouncerOptions): string => {
  const { hostname, password, pathname, port: serverPort, username } = new URL(postgresUrl)
  const login = password === "" ? `user=${username}` : `user=${username} password=${password}`
  return `[databases]
${pathname.slice(1)} = host=${hostname} port=${serverPort || 5432} ${login}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
ignore_startup_parameters = extra_float_digits
${maxPreparedStatements === undefined ? "" : `max_prepared_statements = ${maxPreparedStatements}\n`}`
}

/** Starts a PgBouncer in front of the tests' PostgreSQL that shares connections between transactions. */
export const startPgBouncer = async (options: PgBouncerOptions = {}): Promise<OwnDatabase> => {
  const user = userInsteadOfRoot("postgres")
  const folder = await makeFolder("pgbouncer", user)
  const port = await freePort()
  const file = join(folder, "pgbouncer.ini")
  await writeFile(file, settingsOf(port, options))
  const url = Object.assign(new URL(postgresUrl), { hostname: "127.0.0.1", port: `${port}` }).href
  const check = () => withPostgres(url, (client) => client.query("select 1"))
  return ownDatabase(url, await DatabaseProcess.start({ program, args: [file], user, check }), folder)
}
