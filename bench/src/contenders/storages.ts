import { join } from "node:path"
import { temporaryFolder } from "@eventlog-server/testkit/databases"
import { openMariadb } from "./mariadb.ts"
import { openPostgres } from "./postgres.ts"
import { openRedis } from "./redis.ts"
import type { StorageInUse } from "./StorageInUse.ts"

const openMemory = async (): Promise<StorageInUse> => ({
  flags: ["--storage", "memory"],
  url: "",
  close: async () => {}
})

const openSqlite = async (): Promise<StorageInUse> => {
  const { path, remove } = await temporaryFolder()
  const url = join(path, "bench.sqlite")
  return {
    flags: ["--storage", "sqlite", "--url", url],
    url,
    close: remove
  }
}

/** How to get each storage. One that is away rejects, and says why. */
export const storages = {
  memory: openMemory,
  sqlite: openSqlite,
  postgres: openPostgres,
  mariadb: openMariadb,
  redis: openRedis
} satisfies Record<string, () => Promise<StorageInUse>>

/** A storage that a benchmark can be run on. */
export type StorageName = keyof typeof storages
