import { createMysqlDatabase } from "@eventlog-server/testkit/databases"
import type { StorageInUse } from "./StorageInUse.ts"

/** Makes a database. */
export const openMariadb = async (): Promise<StorageInUse> => {
  const { drop, url } = await createMysqlDatabase()
  return { flags: ["--storage", "mysql", "--url", url], url, close: drop }
}
