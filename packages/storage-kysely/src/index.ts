export {
  currentTransaction,
  type KyselyBackendOptions,
  kyselyBackend,
  layerKysely,
  type PollOptions
} from "./backend.ts"
export type { DialectName } from "./dialects/dialects.ts"
export { ensureSchema, migrationProvider, migrations, type SchemaOptions } from "./schema/migrations.ts"
export type {
  BigInteger,
  EntryRow,
  EventLogTables,
  GroupRow,
  IdentityRow,
  KeyRow,
  StoreRow,
  TableOptions
} from "./schema/tables.ts"
export { OuterDatabaseError } from "./transactions/guardOuterDatabase.ts"
export { RevokedTransactionError } from "./transactions/handle.ts"
export type { Listen, ListenClient } from "./wakeups/listen.ts"
