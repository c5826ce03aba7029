import { openMemory } from "./memory.ts"
import { openPostgres } from "./postgres.ts"
import { openRedis } from "./redis.ts"
import { openSqlite } from "./sqlite.ts"
import type { OpenStorage } from "./storage.ts"

/** How to start each storage that `--storage` can name. */
export const storages = {
  memory: openMemory,
  sqlite: openSqlite,
  postgres: openPostgres,
  redis: openRedis
} satisfies Record<string, OpenStorage>
