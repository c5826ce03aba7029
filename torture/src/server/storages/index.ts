import { memory } from "./memory.ts"
import { mysql } from "./mysql.ts"
import type { Open } from "./openStorage.ts"
import { postgres } from "./postgres.ts"
import { redis } from "./redis.ts"
import { sqlite } from "./sqlite.ts"

/** How a server program opens each storage. */
export const storages: Readonly<Record<string, Open>> = { memory, mysql, postgres, redis, sqlite }
