import { sql } from "kysely"
import type { Dialect } from "../Dialect.ts"
import { postgres } from "../postgres/postgres.ts"

/** PostgreSQL within the process, with one connection. Nobody else can use its files, so there is nobody to notify. */
export const pglite: Dialect = {
  ...postgres,
  // It names the compiler that it was made with.
  probe: { name: "PGlite", statement: sql`select 1 where version() like 'PostgreSQL%emcc%'` },
  writes: { ...postgres.writes, notify: undefined },
  handlers: { ...postgres.handlers, singleConnection: true },
  runPrepared: undefined
}
