import { sql } from "kysely"
import type { Dialect } from "../Dialect.ts"
import { codeOf, type Failure } from "../Failure.ts"
import { createIndexIfNotExists, insertOnConflictDoNothing } from "../standardSql/ifAbsent.ts"
import { upsertOnConflict } from "../standardSql/upsert.ts"
import { append } from "./append.ts"
import { buckets } from "./buckets.ts"
import { updateStores } from "./updateStores.ts"

const failureOf = (cause: unknown): Failure => {
  const code = codeOf(cause)
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) return "Conflict"
  return code.startsWith("SQLITE_CANTOPEN") || code.startsWith("SQLITE_PROTOCOL") ? "Away" : "Broken"
}

/** SQLite 3.38 or later, through better-sqlite3 or another driver that Kysely has for it. */
export const sqlite: Dialect = {
  probe: { name: "SQLite", statement: sql`select sqlite_version()` },
  schema: {
    columns: { id: "integer", key: () => "text", text: "text", bytes16: "blob", blob: "blob" },
    createIndex: createIndexIfNotExists,
    addColumn: (connection, table, definition) =>
      sql`alter table ${table} add column ${definition}`.execute(connection).catch((error: unknown) => {
        if (!/duplicate column name/i.test(String(error))) throw error
      }),
    complete: async ({ connection, tables }, prefix) => {
      await sql`create trigger if not exists ${sql.id(`${prefix}move_head`)} after insert on ${tables.entries} begin
      update ${tables.stores} set head = new.sequence where id = new.store; end`.execute(connection)
    }
  },
  writes: { insertNew: insertOnConflictDoNothing, upsert: upsertOnConflict, append },
  buckets,
  handlers: {
    singleConnection: true,
    // A transaction that begins by reading can't write once another process has: so it begins by writing.
    begin: ({ stores }, storeId) => sql`update ${stores} set erased = erased where store_id = ${storeId}`
  },
  updateStores,
  now: sql`cast((julianday('now') - 2440587.5) * 86400000 as integer)`,
  failureOf
}
