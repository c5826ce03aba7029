import { execFileSync } from "node:child_process"
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import pg from "pg"
import { freePort } from "../serverProcess.ts"
import { OwnProcess } from "./ownProcess.ts"
import type { OpenStorage } from "./storage.ts"

/** Where Debian keeps the programs of its newest PostgreSQL; elsewhere they are on the path. */
const programs = (): string => {
  const debian = "/usr/lib/postgresql"
  const [newest] = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  return newest === undefined ? "" : join(debian, newest, "bin/")
}

/** PostgreSQL refuses to run as root. */
const userOf = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }))
  return { uid: id("-u"), gid: id("-g") }
}

const terminate = (condition: string) =>
  `select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and ${condition}`

/** A PostgreSQL of its own. */
export const openPostgres: OpenStorage = async (folder) => {
  const port = await freePort()
  const user = userOf()
  const data = join(folder, "postgres")
  mkdirSync(data)
  // The user that it runs as has to get into the folder of the run.
  chmodSync(folder, 0o755)
  if (user !== undefined) chownSync(data, user.uid, user.gid)
  execFileSync(`${programs()}initdb`, ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"], {
    stdio: "ignore",
    cwd: data,
    ...user
  })
  const address = `postgres://postgres@127.0.0.1:${port}/postgres`
  const ask = async (query: string): Promise<void> => {
    const client = new pg.Client({ connectionString: address, connectionTimeoutMillis: 2_000 })
    client.on("error", ignore)
    try {
      await client.connect()
      await client.query(query)
    } finally {
      await client.end().catch(ignore)
    }
  }
  const server = await OwnProcess.start({
    program: `${programs()}postgres`,
    args: ["-D", data, "-p", `${port}`, "-k", data, "-c", "listen_addresses=127.0.0.1", "-c", "restart_after_crash=on"],
    user,
    check: () => ask("select 1")
  })
  return {
    address,
    isDurable: true,
    faults: [
      { name: "PostgreSQL killed", weight: 1.5, excuses: true, run: (force) => server.restart(force * 2_000) },
      {
        name: "PostgreSQL connections killed",
        weight: 3,
        excuses: true,
        run: () => ask(terminate("backend_type = 'client backend'")).catch(ignore)
      },
      {
        name: "LISTEN killed",
        weight: 3,
        excuses: true,
        run: () => ask(terminate("query ilike 'listen%'")).catch(ignore)
      }
    ],
    close: () => server.end("SIGINT")
  }
}

const ignore = () => {}
