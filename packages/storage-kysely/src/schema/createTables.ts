import { EventJournal } from "effect/eventlog"
import { sql } from "kysely"
import { toBuffer } from "../database/values.ts"
import type { Connection, Dialect } from "../dialects/Dialect.ts"
import { prefixOf, type TableOptions, tablesOf } from "./tables.ts"

/** Makes tables and indexes; each statement does nothing where its work is done already. */
export const createTables = async (connection: Connection, dialect: Dialect, options: TableOptions): Promise<void> => {
  const { columns } = dialect
  const prefix = prefixOf(options)
  const schema = options.schema === undefined ? connection.schema : connection.schema.withSchema(options.schema)
  const table = (name: string) => schema.createTable(prefix + name).ifNotExists()
  const tables = tablesOf(options)

  await table("stores")
    .addColumn("id", columns.id, (column) => column.primaryKey())
    .addColumn("store_id", columns.key(255), (column) => column.notNull().unique())
    .addColumn("head", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("erased", "smallint", (column) => column.notNull().defaultTo(0))
    .addColumn("processed", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("lease_holder", columns.key(36))
    .addColumn("lease_until", "bigint", (column) => column.notNull().defaultTo(0))
    .execute()
  await table("entries")
    .addColumn("store", "integer", (column) => column.notNull())
    .addColumn("sequence", "bigint", (column) => column.notNull())
    .addColumn("entry_id", columns.bytes16, (column) => column.notNull())
    .addColumn("bucket", columns.bytes16, (column) => column.notNull())
    .addColumn("event", columns.text, (column) => column.notNull())
    .addColumn("primary_key", columns.text, (column) => column.notNull())
    .addColumn("author", columns.text)
    .addColumn("transport_only", "smallint", (column) => column.notNull())
    .addColumn("bytes", "integer", (column) => column.notNull())
    .addColumn("payload", columns.blob, (column) => column.notNull())
    .addPrimaryKeyConstraint(`${prefix}entries_by_sequence`, ["store", "sequence"])
    .addUniqueConstraint(`${prefix}entries_by_id`, ["store", "entry_id"])
    .execute()
  for (const [name, last] of [
    ["buckets_by_sequence", "sequence"],
    ["buckets_by_id", "entry_id"]
  ] as const) {
    await dialect.createIndex(connection, tables.entries, prefix + name, ["store", "bucket", last])
  }
  await table("groups")
    .addColumn("store", "integer", (column) => column.notNull())
    .addColumn("place", "integer", (column) => column.notNull())
    .addColumn("events", columns.text, (column) => column.notNull())
    .addColumn("cutoff", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint(`${prefix}groups_by_place`, ["store", "place"])
    .execute()
  await table("keys")
    .addColumn("public_key", columns.key(512), (column) => column.primaryKey())
    .addColumn("store_id", columns.key(255), (column) => column.notNull())
    .addColumn("signing_public_key", columns.blob)
    .addColumn("removed", "smallint", (column) => column.notNull().defaultTo(0))
    .addColumn("access_change", "bigint", (column) => column.notNull().defaultTo(0))
    .execute()
  await dialect.createIndex(connection, tables.keys, `${prefix}keys_by_access_change`, ["access_change"])
  await table("identity")
    .addColumn("id", "smallint", (column) => column.primaryKey())
    .addColumn("remote_id", columns.bytes16, (column) => column.notNull())
    .addColumn("access_changes", "bigint", (column) => column.notNull().defaultTo(0))
    .execute()

  await dialect
    .insertNew(tables.identity, { id: 1, remote_id: toBuffer(EventJournal.makeRemoteIdUnsafe()) })
    .execute(connection)
  await dialect.complete?.(connection, tables, prefix)
}

/** Every table of the package, for good: with them go all feeds. */
export const dropTables = async (connection: Connection, options: TableOptions): Promise<void> => {
  for (const table of Object.values(tablesOf(options))) await sql`drop table if exists ${table}`.execute(connection)
}
