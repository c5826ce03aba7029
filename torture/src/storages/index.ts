import { openMemory } from "./memory.ts"
import { openMysql } from "./mysql.ts"
import { openPostgres } from "./postgres.ts"
import { openRedis } from "./redis.ts"
import { openSqlite } from "./sqlite.ts"
import type { OpenStorage } from "./storage.ts"

/** How to start each storage that `--storage` can name. */
export const storages = {
  memory: openMemory,
  sqlite: openSqlite,
  postgres: openPostgres,
  mysql: openMysql,
  redis: openRedis
} satisfies Record<string, OpenStorage>
