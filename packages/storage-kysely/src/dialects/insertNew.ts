import { sql } from "kysely"
import type { Dialect } from "./Dialect.ts"

/** `Dialect.insertNew` where the database knows `on conflict do nothing`. */
export const insertOnConflictDoNothing: Dialect["insertNew"] = (table, row) =>
  sql`insert into ${table} (${sql.join(Object.keys(row).map((column) => sql.ref(column)))})
    values (${sql.join(Object.values(row))}) on conflict do nothing`
