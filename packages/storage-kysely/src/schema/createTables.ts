import { EventJournal } from "effect/eventlog"
import { sql } from "kysely"
import type { Connection } from "../database/Target.ts"
import { toBuffer } from "../database/values.ts"
import type { Dialect } from "../dialects/Dialect.ts"
import { prefixOf, type TableOptions, tablesOf } from "./tables.ts"

/** Makes tables and indexes; each statement does nothing where its work is done already. */
export const createTables = async (connection: Connection, dialect: Dialect, options: TableOptions): Promise<void> => {
  const { columns, complete, createIndex } = dialect.schema
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
    await createIndex(connection, tables.entries, prefix + name, ["store", "bucket", last])
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
  await createIndex(connection, tables.keys, `${prefix}keys_by_access_change`, ["access_change"])
  await table("identity")
    .addColumn("id", "smallint", (column) => column.primaryKey())
    .addColumn("remote_id", columns.bytes16, (column) => column.notNull())
    .addColumn("access_changes", "bigint", (column) => column.notNull().defaultTo(0))
    .execute()

  await dialect.writes
    .insertNew(tables.identity, { id: 1, remote_id: toBuffer(EventJournal.makeRemoteIdUnsafe()) })
    .execute(connection)
  await complete?.({ connection, tables }, prefix)
}

/**
 * Makes the index that the devices of a store are found by, in order. Both columns fit everywhere: MySQL takes 3,072 bytes,
 * of which a store id and a public key have 3,068 at four bytes a character, and PostgreSQL 2,704, of which they need 1,277
 * at the bytes that they may have.
 */
export const indexKeysByStore = async (
  connection: Connection,
  { schema }: Dialect,
  options: TableOptions
): Promise<void> => {
  const { keys } = tablesOf(options)
  await schema.createIndex(connection, keys, `${prefixOf(options)}keys_by_store`, ["store_id", "public_key"])
}

/**
 * Makes the table of entries whose handlers failed. Names and messages are of any length, as entries have them; they are
 * found by their places alone.
 */
export const createFailures = async (
  connection: Connection,
  { schema: { columns } }: Dialect,
  options: TableOptions
): Promise<void> => {
  const schema = options.schema === undefined ? connection.schema : connection.schema.withSchema(options.schema)
  const prefix = prefixOf(options)
  await schema
    .createTable(`${prefix}failures`)
    .ifNotExists()
    .addColumn("store", "integer", (column) => column.notNull())
    .addColumn("sequence", "bigint", (column) => column.notNull())
    .addColumn("entry_id", columns.bytes16, (column) => column.notNull())
    .addColumn("event", columns.text, (column) => column.notNull())
    .addColumn("primary_key", columns.text, (column) => column.notNull())
    .addColumn("author", columns.text)
    .addColumn("reason", columns.text, (column) => column.notNull())
    .addColumn("message", columns.text, (column) => column.notNull())
    .addColumn("attempts", "integer", (column) => column.notNull())
    .addColumn("first_at", "bigint", (column) => column.notNull())
    .addColumn("last_at", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint(`${prefix}failures_by_sequence`, ["store", "sequence"])
    .execute()
}

/** Makes the table of failures that are to be tried again: few at any time, so that looking for them costs nothing. */
export const createRetries = async (connection: Connection, options: TableOptions): Promise<void> => {
  const schema = options.schema === undefined ? connection.schema : connection.schema.withSchema(options.schema)
  const prefix = prefixOf(options)
  await schema
    .createTable(`${prefix}retries`)
    .ifNotExists()
    .addColumn("store", "integer", (column) => column.notNull())
    .addColumn("sequence", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint(`${prefix}retries_by_sequence`, ["store", "sequence"])
    .execute()
}

/** Adds what stores remember of cursors that are, or were, rewound. */
export const addRewinding = async (
  connection: Connection,
  { schema }: Dialect,
  options: TableOptions
): Promise<void> => {
  const { stores } = tablesOf(options)
  await schema.addColumn(connection, stores, sql`replay_to bigint not null default 0`)
  await schema.addColumn(connection, stores, sql`rewind_to bigint`)
}

/** Every table of the package, for good: with them go all feeds. */
export const dropTables = async (connection: Connection, options: TableOptions): Promise<void> => {
  for (const table of Object.values(tablesOf(options))) await sql`drop table if exists ${table}`.execute(connection)
}
