import { execFileSync } from "node:child_process"
import { chmodSync, chownSync, existsSync, mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { type Connection, createConnection, type RowDataPacket } from "mysql2/promise"
import { freePort } from "../serverProcess.ts"
import { OwnProcess } from "./ownProcess.ts"
import type { OpenStorage } from "./storage.ts"

const program = process.env.MARIADBD ?? "/usr/sbin/mariadbd"

const installer = (): string => {
  const found = [join(dirname(program), "mariadb-install-db"), "/usr/bin/mariadb-install-db"].find(existsSync)
  if (found === undefined || !existsSync(program)) {
    throw new Error(`No ${program} with mariadb-install-db: install MariaDB, or set MARIADBD`)
  }
  return found
}

/** MariaDB refuses to run as root, but changes its user by itself. */
const runAs = (folder: string): ReadonlyArray<string> => {
  if (process.getuid?.() !== 0) return []
  const id = (flag: string) => Number(execFileSync("id", [flag, "mysql"], { encoding: "utf8" }))
  chownSync(folder, id("-u"), id("-g"))
  return ["--user=mysql"]
}

/** Ends every connection but the one that asks. */
const killOthers = async (connection: Connection): Promise<void> => {
  const [rows] = await connection.query<Array<RowDataPacket & { readonly id: number }>>(
    "select id from information_schema.processlist where id <> connection_id() and user = 'root'"
  )
  for (const { id } of rows) {
    // One that ended meanwhile is gone as well.
    await connection.query(`kill ${id}`).catch(ignore)
  }
}

/** A MariaDB of its own. */
export const openMysql: OpenStorage = async (folder) => {
  const port = await freePort()
  const data = join(folder, "mysql")
  mkdirSync(data)
  // The user that it runs as has to get into the folder of the run.
  chmodSync(folder, 0o755)
  const common = ["--no-defaults", ...runAs(data), `--datadir=${data}`]
  execFileSync(installer(), [...common, "--auth-root-authentication-method=normal", "--skip-test-db"], {
    stdio: "ignore"
  })
  const uri = `mysql://root@127.0.0.1:${port}/mysql`
  const ask = async (work: (connection: Connection) => Promise<unknown>): Promise<void> => {
    const connection = await createConnection({ uri, connectTimeout: 2_000 })
    connection.on("error", ignore)
    try {
      await work(connection)
    } finally {
      connection.destroy()
    }
  }
  const server = await OwnProcess.start({
    program,
    args: [...common, `--port=${port}`, "--bind-address=127.0.0.1", `--socket=${join(data, "socket")}`],
    check: () => ask((connection) => connection.query("select 1"))
  })
  await ask((connection) => connection.query("create database eventlog"))
  return {
    address: uri.replace(/mysql$/, "eventlog"),
    isDurable: true,
    faults: [
      { name: "MariaDB killed", weight: 1.5, excuses: true, run: (force) => server.restart(force * 2_000) },
      { name: "MariaDB connections killed", weight: 3, excuses: true, run: () => ask(killOthers).catch(ignore) }
    ],
    close: () => server.end("SIGTERM")
  }
}

const ignore = () => {}
