import type { Dialect } from "./Dialect.ts"
import { mysql } from "./mysql/mysql.ts"
import { pglite } from "./pglite/pglite.ts"
import { postgres } from "./postgres/postgres.ts"
import { sqlite } from "./sqlite/sqlite.ts"

/** Every database that the package knows, by the name that options give it. */
export const dialects = { mysql, pglite, postgres, sqlite } satisfies Record<string, Dialect>

/** The database behind the Kysely instance. */
export type DialectName = keyof typeof dialects
