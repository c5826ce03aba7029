import { PGlite } from "@electric-sql/pglite"
import { Kysely, PGliteDialect } from "kysely"

/** PostgreSQL in this process and in memory. It takes seconds to start, and much memory: tests share one. */
export const openPglite = (): Kysely<unknown> =>
  new Kysely<unknown>({ dialect: new PGliteDialect({ pglite: new PGlite() }) })
