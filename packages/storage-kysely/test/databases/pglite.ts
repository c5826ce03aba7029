import { PGlite } from "@electric-sql/pglite"
import { Kysely, PGliteDialect } from "kysely"

/** An instance in memory, which takes seconds to start and much memory. @param pglite @default one of its own */
export const openPglite = (pglite: PGlite = new PGlite()): Kysely<unknown> =>
  new Kysely<unknown>({ dialect: new PGliteDialect({ pglite }) })

let shared: PGlite | undefined

/** A Kysely instance of a test's own, on what all tests of a process share; don't destroy it. */
export const openSharedPglite = (): Kysely<unknown> => {
  shared ??= new PGlite()
  return openPglite(shared)
}
