/** Mounting a server with plain functions. `./effect` has the layers, `./backend` what storages need, `./adapter` what adapters do. */

export type { Backend } from "./backend/Backend.ts"
export { EventLogServerAuthError } from "./backend/EventLogServerAuth.ts"
export { EventLogServerStoreRegistryError, type KeyMapping } from "./backend/EventLogServerStoreRegistry.ts"
export type { FeedEntry } from "./backend/FeedStore.ts"
export { FeedLostError, StorageError, StoreErasedError } from "./backend/StorageError.ts"
export type { Compactor } from "./compaction/compactors.ts"
export { keepLast } from "./compaction/keepLast.ts"
export { CompactionLawError, checkCompactionLaw } from "./compaction/law.ts"
export type { ConnectionDetails } from "./connection/CurrentConnection.ts"
export type { ConnectionInfo } from "./connection/connections.ts"
export type { FeedLoss } from "./continuity/continuity.ts"
export { leaseFromEventJournal } from "./journal/leaseFromEventJournal.ts"
export { memoryBackend } from "./memory/backend.ts"
export { memoryProgress } from "./memory/memoryProgress.ts"
export type { HandlerFailure } from "./processing/failures.ts"
export { type FeedMismatch, ProcessingStoppedError } from "./processing/stoppedStores.ts"
export type { Admit } from "./server/admit.ts"
export type { AppLogger } from "./server/appLogger.ts"
export { type AsyncAuth, type AsyncEnroll, allowAll, refuse } from "./server/asyncAuth.ts"
export type { AsyncHandlers, HandlerInput } from "./server/asyncHandlers.ts"
export {
  type CreateEventLogServerOptions,
  createEventLogServer,
  type EventLogServer
} from "./server/createEventLogServer.ts"
export { groupCompaction } from "./server/groupCompaction.ts"
export type { Health } from "./server/health.ts"
export { InsideTransactionError } from "./server/insideTransaction.ts"
export type { ServerOptions } from "./server/options.ts"
export { InvalidEventError } from "./server/serverWrite.ts"
export { RequestError } from "./wire/errors.ts"
export { defaultLimits, type Limits } from "./wire/limits.ts"
