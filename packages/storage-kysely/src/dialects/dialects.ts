import type { Dialect } from "./Dialect.ts"
import { postgres } from "./postgres.ts"
import { sqlite } from "./sqlite.ts"

/** Every database that the package knows, by the name that options give it. */
export const dialects = { postgres, sqlite } satisfies Record<string, Dialect>

/** The database behind the Kysely instance. */
export type DialectName = keyof typeof dialects
