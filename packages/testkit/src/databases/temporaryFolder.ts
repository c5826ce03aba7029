import { rm } from "node:fs/promises"
import { makeFolder } from "./ownDatabase.ts"

/** A folder for a test's files, and a way to get rid of it. */
export interface TemporaryFolder {
  readonly path: string
  readonly remove: () => Promise<void>
}

/** Makes a folder for a database that is files. */
export const temporaryFolder = async (): Promise<TemporaryFolder> => {
  const path = await makeFolder("files")
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
