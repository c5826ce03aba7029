import { sql } from "kysely"
import type { Dialect } from "./Dialect.ts"

/** `Dialect.createIndex` where the database knows `if not exists`. */
export const createIndexIfNotExists: Dialect["createIndex"] = (connection, table, name, columns) =>
  sql`create index if not exists ${sql.id(name)} on ${table} (${sql.join(columns.map((column) => sql.ref(column)))})`.execute(
    connection
  )
