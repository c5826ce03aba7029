import { sql } from "kysely"
import type { Schema } from "../Schema.ts"
import type { Writes } from "../Writes.ts"

/** `Schema.createIndex` where the database knows `if not exists`. */
export const createIndexIfNotExists: Schema["createIndex"] = (connection, table, name, columns) =>
  sql`create index if not exists ${sql.id(name)} on ${table} (${sql.join(columns.map((column) => sql.ref(column)))})`.execute(
    connection
  )

/** `Writes.insertNew` where the database knows `on conflict do nothing`. */
export const insertOnConflictDoNothing: Writes["insertNew"] = (table, row) =>
  sql`insert into ${table} (${sql.join(Object.keys(row).map((column) => sql.ref(column)))})
    values (${sql.join(Object.values(row))}) on conflict do nothing`
