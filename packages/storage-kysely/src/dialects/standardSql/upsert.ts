import { type RawBuilder, sql } from "kysely"
import type { NewRow, Upsert, Writes } from "../Writes.ts"

/** The columns and values of an insert, those of the first row in front. */
export const rowsOf = (rows: ReadonlyArray<NewRow>): RawBuilder<unknown> => {
  const columns = Object.keys(rows[0] ?? {})
  const values = rows.map((row) => sql`(${sql.join(columns.map((column) => row[column]))})`)
  return sql`(${sql.join(columns.map((column) => sql.ref(column)))}) values ${sql.join(values)}`
}

/** The columns that a row that is there takes over from the new one. */
export const overwritten = ({ counted, key, kept, rows }: Upsert): ReadonlyArray<string> => {
  const others = new Set([...counted, ...key, ...kept])
  return Object.keys(rows[0] ?? {}).filter((column) => !others.has(column))
}

/** `Writes.upsert` where the database knows `on conflict do update`. */
export const upsertOnConflict: Writes["upsert"] = (table, upsert) => {
  const { counted, key, rows } = upsert
  const counts = counted.map((column) => sql`${sql.ref(column)} = stored.${sql.ref(column)} + 1`)
  const sets = overwritten(upsert).map((column) => sql`${sql.ref(column)} = excluded.${sql.ref(column)}`)
  return sql`insert into ${table} as stored ${rowsOf(rows)}
    on conflict (${sql.join(key.map((column) => sql.ref(column)))}) do update set ${sql.join([...counts, ...sets])}`
}
