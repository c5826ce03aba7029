import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { freePort } from "../network/freePort.ts"
import { DatabaseProcess } from "./DatabaseProcess.ts"
import { withMysql } from "./mysql.ts"
import { makeFolder, type OwnDatabase, ownDatabase, userInsteadOfRoot } from "./ownDatabase.ts"

const program = process.env.MARIADBD ?? "/usr/sbin/mariadbd"

const installers = [join(dirname(program), "mariadb-install-db"), "/usr/bin/mariadb-install-db"]

/** Why no MariaDB can be started, and how to get it; `undefined` when one can. */
export const ownMysqlMissing = (): string | undefined =>
  existsSync(program) && installers.some(existsSync)
    ? undefined
    : `No ${program} with mariadb-install-db: install MariaDB (apt-get install mariadb-server), or set MARIADBD`

/** Starts a MariaDB, and waits until it takes commands. @param flags beside its own */
export const startMysql = async (...flags: ReadonlyArray<string>): Promise<OwnDatabase> => {
  const missing = ownMysqlMissing()
  if (missing !== undefined) throw new Error(missing)
  const user = userInsteadOfRoot("mysql")
  const folder = await makeFolder("mysql", user)
  // It changes its user by itself.
  const common = ["--no-defaults", ...(user === undefined ? [] : ["--user=mysql"]), `--datadir=${folder}`]
  const installation = [...common, "--auth-root-authentication-method=normal", "--skip-test-db"]
  execFileSync(installers.find(existsSync)!, installation, { stdio: "ignore" })
  const port = await freePort()
  const adminUrl = `mysql://root@127.0.0.1:${port}/mysql`
  const server = await DatabaseProcess.start({
    program,
    args: [...common, `--port=${port}`, "--bind-address=127.0.0.1", `--socket=${join(folder, "socket")}`, ...flags],
    check: () => withMysql(adminUrl, (connection) => connection.query("select 1"))
  })
  await withMysql(adminUrl, (connection) => connection.query("create database eventlog"))
  return ownDatabase(`mysql://root@127.0.0.1:${port}/eventlog`, server, folder)
}
