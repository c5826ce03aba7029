import { memory } from "./memory.ts"
import { mysql } from "./mysql.ts"
import { pglite } from "./pglite.ts"
import { postgres } from "./postgres.ts"
import { redis } from "./redis.ts"
import type { StorageKind } from "./Storage.ts"
import { sqlite } from "./sqlite.ts"

/** Every storage that `--storage` can name. Drivers are loaded by those that are opened. */
export const storages = { memory, sqlite, pglite, postgres, mysql, redis } satisfies Record<string, StorageKind>
