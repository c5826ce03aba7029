import { sql } from "kysely"
import type { Dialect } from "./Dialect.ts"

/** `Dialect.selectAt` where a list of keys is looked up in the primary key whatever the database knows of the table. */
export const selectAtList: Dialect["selectAt"] = (columns, entries, store, sequences) =>
  sql`select ${columns} from ${entries} where store = ${store} and sequence in (${sql.join(sequences)})`
