// Mounting a server with plain functions.

export { type AppLogger, layerAppLogger } from "./server/appLogger.ts"
export { type AsyncAuth, type AsyncEnroll, allowAll, type RefuseOptions, refuse } from "./server/asyncAuth.ts"
export type { AsyncHandlers, HandlerInput } from "./server/asyncHandlers.ts"
export {
  type CreateEventLogServerOptions,
  createEventLogServer,
  type EventLogServer,
  type WriteOptions
} from "./server/createEventLogServer.ts"
export type { Endpoint, ProtocolOptions } from "./server/endpoints.ts"
export { InsideTransactionError } from "./server/insideTransaction.ts"
export type { Mountable } from "./server/mountable.ts"
export type { ServerOptions } from "./server/options.ts"
export { type AllowedOrigins, isOriginAllowed } from "./server/origin.ts"
export { InvalidEventError, type ServerWriteOptions } from "./server/serverWrite.ts"
export type { ProtocolName } from "./session/conversation.ts"
export type { ConnectionInfo, Rejected, Selector } from "./session/sessions.ts"

// Composing it from layers.

export type { AppendError } from "./ingest/appendQueue.ts"
export type { WriteError, Written } from "./ingest/ingest.ts"
export { CurrentAuthor, type HandlerFailure } from "./processing/handlers.ts"
export { leaseFromEventJournal } from "./processing/leaseFromEventJournal.ts"
export { type FeedMismatch, ProcessingStoppedError } from "./processing/stoppedStores.ts"
export { EventLogServerUnencrypted, layer, type ServerStats } from "./server/EventLogServerUnencrypted.ts"
export { groupReactivity } from "./server/groupReactivity.ts"
export { makeHandler, type SocketHandler } from "./server/makeHandler.ts"
export {
  type HttpHandler,
  type HttpHandlerOptions,
  makeHandlerHttp,
  makeHandlerHttpWith
} from "./server/makeHandlerHttp.ts"
export type { AccessError } from "./session/access.ts"

// Compacting old history.

export type { Compactor, CompactorInput, LastBy } from "./compaction/compactors.ts"
export type { CompactGroup, GroupCompactionInput } from "./compaction/groupCompactor.ts"
export { type KeepLast, type KeepLastOptions, keepLast } from "./compaction/keepLast.ts"
export {
  type AppliedEvent,
  CompactionLawError,
  type CompactionLawOptions,
  checkCompactionLaw
} from "./compaction/law.ts"
export { groupCompaction } from "./server/groupCompaction.ts"

// The ports, for storages and hosts.

export type { Backend, BackendServices, HandlerTransactions } from "./ports/Backend.ts"
export { type Connection, CurrentConnection } from "./ports/CurrentConnection.ts"
export { CurrentTransaction } from "./ports/CurrentTransaction.ts"
export { EventLogServerAuth, EventLogServerAuthError, type IdentityClaim } from "./ports/EventLogServerAuth.ts"
export {
  EventLogServerStoreRegistry,
  EventLogServerStoreRegistryError,
  type KeyMapping
} from "./ports/EventLogServerStoreRegistry.ts"
export { FeedAdmin, type StoreHead } from "./ports/FeedAdmin.ts"
export {
  type Appended,
  type Author,
  type BucketBounds,
  type BucketRange,
  type BucketSelection,
  type FeedEntry,
  type FeedPage,
  type FeedRecord,
  FeedStore,
  type PageLimits,
  type Sieve
} from "./ports/FeedStore.ts"
export { Storage } from "./ports/Storage.ts"
export { StorageError, StoreErasedError } from "./ports/StorageError.ts"
export { StoreId } from "./ports/StoreId.ts"
export {
  type CompactionGroup,
  type Contain,
  type CutoffRequest,
  type Lease,
  LeaseLostError,
  StoreProgress
} from "./ports/StoreProgress.ts"
export type { Transport, TransportListener } from "./ports/Transport.ts"
export { RequestError } from "./protocol/errors.ts"
export { type AnnouncedLimits, defaultLimits, type Limits } from "./protocol/limits.ts"
export { type ErrorCode, type ErrorReason, subprotocol } from "./protocol/messages.ts"

// The reference backend.

export { layerAuthAllowAll } from "./memory/authAllowAll.ts"
export { memoryBackend } from "./memory/backend.ts"
export { layerStorage, layerStorageMemory } from "./memory/storage.ts"
export { memoryProgress } from "./memory/storeProgress.ts"
export { layerStoreRegistryMemory } from "./memory/storeRegistry.ts"
