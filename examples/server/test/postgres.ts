import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readdirSync } from "node:fs"
import { chown, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"
import { freePort } from "./freePort.ts"

const serverUrl = process.env.POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/test"

const connect = async (connectionString: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 })
  client.on("error", () => {})
  await client.connect()
  return client
}

/** Why there is no PostgreSQL to test with, and what to do about it; `undefined` when there is. */
export const postgresMissing: string | undefined = await connect(serverUrl).then(
  (client) => client.end().then(() => undefined),
  () => `No PostgreSQL at ${serverUrl}: start one, or set POSTGRES_URL`
)

/** Makes a database of its own for a test. */
export const createDatabase = async () => {
  const name = `eventlog_${crypto.randomUUID().replaceAll("-", "")}`
  const admin = await connect(serverUrl)
  await admin.query(`create database ${name}`)
  const url = new URL(serverUrl)
  url.pathname = name
  return {
    url: url.href,
    drop: async () => {
      await admin.query(`drop database ${name} with (force)`)
      await admin.end()
    }
  }
}

const versions = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql") : []
const programs = process.env.POSTGRES_BIN ?? `/usr/lib/postgresql/${versions.sort().at(-1)}/bin`

/** Why no PostgreSQL of its own can be started, and what to do about it. */
export const postgresProgramsMissing: string | undefined = existsSync(join(programs, "initdb"))
  ? undefined
  : `No initdb in ${programs}: install PostgreSQL, or set POSTGRES_BIN`

/** PostgreSQL refuses to run as root. */
const asPostgres = (program: string, args: ReadonlyArray<string>): readonly [string, ReadonlyArray<string>] =>
  process.getuid?.() === 0
    ? ["runuser", ["-u", "postgres", "--", join(programs, program), ...args]]
    : [join(programs, program), args]

/** A PostgreSQL server of a test's own, that can be stopped the hard way. */
export const startOwnPostgres = async () => {
  const folder = await mkdtemp(join(tmpdir(), "eventlog-postgres-"))
  if (process.getuid?.() === 0) {
    await chown(folder, Number(execFileSync("id", ["-u", "postgres"])), Number(execFileSync("id", ["-g", "postgres"])))
  }
  const [initdb, initdbArgs] = asPostgres("initdb", ["-D", folder, "-A", "trust", "-U", "postgres"])
  execFileSync(initdb, initdbArgs, { stdio: "ignore", cwd: tmpdir() })
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  let server: ChildProcess

  const start = async (): Promise<void> => {
    const settings = ["-h", "127.0.0.1", "-p", String(port), "-k", folder]
    const [postgres, args] = asPostgres("postgres", ["-D", folder, ...settings])
    server = spawn(postgres, args, { stdio: "ignore", cwd: tmpdir() })
    while (true) {
      const client = await connect(url).catch(() => undefined)
      if (client !== undefined) return client.end()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Without a checkpoint and without a goodbye: the next start has to recover from the log. */
  const crash = async (): Promise<void> => {
    const [pgCtl, args] = asPostgres("pg_ctl", ["stop", "-D", folder, "-m", "immediate"])
    const ended = once(server, "exit")
    execFileSync(pgCtl, args, { stdio: "ignore", cwd: tmpdir() })
    await ended
  }

  await start()
  return {
    url,
    crash,
    start,
    remove: async () => {
      await crash().catch(() => {})
      await rm(folder, { recursive: true, force: true })
    }
  }
}
