import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
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
  const folder = await mkdtemp(join(tmpdir(), "eventlog-bench-"))
  const url = join(folder, "bench.sqlite")
  return {
    flags: ["--storage", "sqlite", "--url", url],
    url,
    close: () => rm(folder, { recursive: true, force: true })
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
