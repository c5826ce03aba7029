import { execFileSync } from "node:child_process"
import { chown, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { DatabaseProcess } from "./DatabaseProcess.ts"

/** A database server of a test's own, in a folder of its own. */
export interface OwnDatabase {
  readonly url: string
  readonly process: DatabaseProcess
  /** Ends it for good, and removes what it kept. */
  readonly remove: () => Promise<void>
}

/** A user of this machine. */
export interface User {
  readonly uid: number
  readonly gid: number
}

/** Whom to run a database as that refuses to run as root; `undefined` for somebody who isn't. */
export const userInsteadOfRoot = (name: string): User | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync("id", [flag, name]))
  return { uid: id("-u"), gid: id("-g") }
}

/** Makes a folder for what a database keeps. */
export const makeFolder = async (name: string, user?: User): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), `eventlog-${name}-`))
  if (user !== undefined) await chown(folder, user.uid, user.gid)
  return folder
}

/** Puts a server together with what it keeps. */
export const ownDatabase = (url: string, process: DatabaseProcess, folder: string): OwnDatabase => ({
  url,
  process,
  remove: async () => {
    await process.crash()
    await rm(folder, { recursive: true, force: true })
  }
})
