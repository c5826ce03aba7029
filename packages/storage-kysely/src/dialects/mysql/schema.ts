import { sql } from "kysely"
import { codeOf } from "../Failure.ts"
import type { Schema } from "../Schema.ts"

/** By code points, and trailing spaces count: the same collation by two names, each read by its own server only. */
const exactText = sql.raw(
  "character set utf8mb4 /*!80017 collate utf8mb4_0900_bin */ /*M!100000 collate utf8mb4_nopad_bin */"
)

const createIndex: Schema["createIndex"] = (connection, table, name, columns) =>
  sql`create index ${sql.id(name)} on ${table} (${sql.join(columns.map((column) => sql.ref(column)))})`
    .execute(connection)
    .catch((error: unknown) => {
      if (codeOf(error) !== "ER_DUP_KEYNAME") throw error
    })

const addColumn: Schema["addColumn"] = (connection, table, definition) =>
  sql`alter table ${table} add column ${definition}`.execute(connection).catch((error: unknown) => {
    if (codeOf(error) !== "ER_DUP_FIELDNAME") throw error
  })

/** `Dialect.schema`. */
export const schema: Schema = {
  columns: {
    id: sql`integer auto_increment`,
    key: (characters) => sql`varchar(${sql.lit(characters)}) ${exactText}`,
    text: sql`longtext ${exactText}`,
    bytes16: "binary(16)",
    blob: sql`longblob`
  },
  createIndex,
  addColumn
}
