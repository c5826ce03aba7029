import type { Kysely } from "kysely"
import { type MigrationProvider, Migrator, type MigratorProps } from "kysely/migration"
import { type DialectName, dialects } from "../dialects/dialects.ts"
import {
  addRewinding,
  createFailures,
  createRetries,
  createTables,
  dropTables,
  indexKeysByStore
} from "./createTables.ts"
import { prefixOf, type TableOptions } from "./tables.ts"

/** Which tables to make, for which database. */
export interface SchemaOptions extends TableOptions {
  readonly dialect: DialectName
}

/**
 * The migrations of the package, for a Kysely `Migrator`. Take `migrations` for one that keeps its own books, so that they
 * don't mix with those of the app.
 */
export const migrationProvider = (options: SchemaOptions): MigrationProvider => ({
  getMigrations: async () => ({
    "0001_tables": {
      up: (db) => createTables(db, dialects[options.dialect], options),
      down: (db) => dropTables(db, options)
    },
    "0002_keys_by_store": {
      up: (db) => indexKeysByStore(db, dialects[options.dialect], options),
      // An earlier release doesn't mind the index, which goes with its table. Without a `down` Kysely would stay here.
      down: async () => {}
    },
    "0003_failures": {
      up: (db) => createFailures(db, dialects[options.dialect], options),
      // Nor does it mind the table, which goes with the others: what operators may still need of it stays.
      down: async () => {}
    },
    "0004_retries": {
      up: (db) => createRetries(db, options),
      // An earlier release doesn't look at it.
      down: async () => {}
    },
    "0005_rewinding": {
      up: (db) => addRewinding(db, dialects[options.dialect], options),
      // Both columns have a default, and an earlier release leaves them alone: what is rewound waits for a later one.
      down: async () => {}
    }
  })
})

/**
 * What a Kysely `Migrator` needs to know besides the database: the migrations, and tables of their own to remember which
 * of them ran.
 *
 * ```ts
 * const { error } = await new Migrator({ db, ...migrations({ dialect: "postgres" }) }).migrateToLatest()
 * ```
 */
export const migrations = (options: SchemaOptions): Omit<MigratorProps, "db"> => ({
  provider: migrationProvider(options),
  migrationTableName: `${prefixOf(options)}migrations`,
  migrationLockTableName: `${prefixOf(options)}migrations_lock`,
  ...(options.schema === undefined ? {} : { migrationTableSchema: options.schema })
})

/** How often a migration begins again because another schema of the database vanished while Kysely listed the tables. */
const maxAttempts = 5

/** PostgreSQL's `invalid_schema_name`: Kysely lists the tables of all schemas, also of one that is dropped meanwhile. */
const isSchemaGone = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "3F000"

/**
 * Makes the tables, or brings them up to date, for apps that do it when they start. It may run in several processes at
 * once. Rejects with what the database said.
 */
export const ensureSchema = async <DB>(db: Kysely<DB>, options: SchemaOptions): Promise<void> => {
  const migrator = new Migrator({ db: db.withoutPlugins(), ...migrations(options) })
  for (let attempt = 1; ; attempt++) {
    const { error } = await migrator.migrateToLatest()
    if (error === undefined) return
    if (attempt === maxAttempts || !isSchemaGone(error)) throw error
  }
}
