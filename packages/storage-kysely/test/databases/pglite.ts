import { PGlite } from "@electric-sql/pglite"
import { Kysely, PGliteDialect } from "kysely"

let shared: PGlite | undefined

/**
 * A Kysely instance of a test's own, on one PGlite in memory for all tests of a process: it takes seconds to start, and much
 * memory. Nobody destroys it.
 */
export const openPglite = (): Kysely<unknown> => {
  shared ??= new PGlite()
  return new Kysely<unknown>({ dialect: new PGliteDialect({ pglite: shared }) })
}
