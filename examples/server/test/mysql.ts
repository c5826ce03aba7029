import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { chown, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { type Connection, createConnection } from "mysql2/promise"
import { freePort } from "./freePort.ts"

const serverUrl = process.env.MYSQL_URL ?? "mysql://root@127.0.0.1:3306/test"

const connect = async (uri: string): Promise<Connection> => {
  const connection = await createConnection({ uri, connectTimeout: 5_000 })
  connection.on("error", () => {})
  return connection
}

/** Why there is no MariaDB to test with, and what to do about it; `undefined` when there is. */
export const mysqlMissing: string | undefined = await connect(serverUrl).then(
  (connection) => connection.end().then(() => undefined),
  () => `No MariaDB at ${serverUrl}: start one, or set MYSQL_URL`
)

/** Makes a database of its own for a test. */
export const createMysqlDatabase = async () => {
  const name = `eventlog_${crypto.randomUUID().replaceAll("-", "")}`
  const admin = await connect(serverUrl)
  await admin.query(`create database ${name}`)
  const url = new URL(serverUrl)
  url.pathname = name
  return {
    url: url.href,
    drop: async () => {
      await admin.query(`drop database ${name}`)
      await admin.end()
    }
  }
}

const mariadbd = process.env.MARIADBD ?? "/usr/sbin/mariadbd"

const installDb = [join(dirname(mariadbd), "mariadb-install-db"), "/usr/bin/mariadb-install-db"].find(existsSync)

/** Why no MariaDB of its own can be started, and what to do about it. */
export const mysqlProgramsMissing: string | undefined =
  existsSync(mariadbd) && installDb !== undefined
    ? undefined
    : `No ${mariadbd} with mariadb-install-db: install MariaDB, or set MARIADBD`

/** MariaDB refuses to run as root. */
const user = process.getuid?.() === 0 ? ["--user=mysql"] : []

/** A MariaDB server of a test's own, that can be stopped the hard way. */
export const startOwnMysql = async () => {
  const folder = await mkdtemp(join(tmpdir(), "eventlog-mysql-"))
  if (process.getuid?.() === 0) {
    await chown(folder, Number(execFileSync("id", ["-u", "mysql"])), Number(execFileSync("id", ["-g", "mysql"])))
  }
  const common = ["--no-defaults", ...user, `--datadir=${folder}`]
  execFileSync(installDb ?? "", [...common, "--auth-root-authentication-method=normal", "--skip-test-db"], {
    stdio: "ignore"
  })
  const port = await freePort()
  const url = `mysql://root@127.0.0.1:${port}/mysql`
  let server: ChildProcess

  const start = async (): Promise<void> => {
    const settings = [`--port=${port}`, "--bind-address=127.0.0.1", `--socket=${join(folder, "socket")}`]
    server = spawn(mariadbd, [...common, ...settings], { stdio: "ignore" })
    while (true) {
      const connection = await connect(url).catch(() => undefined)
      if (connection !== undefined) return connection.end()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Without a goodbye: the next start has to recover from the log. */
  const crash = async (): Promise<void> => {
    const ended = once(server, "exit")
    server.kill("SIGKILL")
    await ended
  }

  await start()
  const admin = await connect(url)
  await admin.query("create database eventlog")
  await admin.end()
  return {
    url: url.replace(/mysql$/, "eventlog"),
    crash,
    start,
    remove: async () => {
      if (server.exitCode === null && server.signalCode === null) await crash()
      await rm(folder, { recursive: true, force: true })
    }
  }
}
