// Mounting a server with plain functions.

export type { ConnectionInfo, RefusalStatus, Rejected, Selector } from "./connection/connections.ts"
export type { ProtocolName } from "./connection/protocol.ts"
export type { Admit } from "./server/admit.ts"
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
export {
  type ShownWebSocketOptions,
  type WebSocketOptions,
  webSocketOptions,
  webSocketWarning
} from "./server/webSocketOptions.ts"

// Composing it from layers.

export type { AccessError } from "./connection/access.ts"
export type { AppendError } from "./ingest/appendQueue.ts"
export type { WriteError, Written } from "./ingest/write.ts"
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

export { AccessListeners } from "./backend/AccessListeners.ts"
export type { Backend, BackendServices, HandlerTransactions } from "./backend/Backend.ts"
export { CurrentTransaction } from "./backend/CurrentTransaction.ts"
export { EventLogServerAuth, EventLogServerAuthError, type IdentityClaim } from "./backend/EventLogServerAuth.ts"
export {
  type AccessChange,
  EventLogServerStoreRegistry,
  EventLogServerStoreRegistryError,
  type KeyMapping
} from "./backend/EventLogServerStoreRegistry.ts"
export { FeedAdmin, type StoreHead } from "./backend/FeedAdmin.ts"
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
} from "./backend/FeedStore.ts"
export { Storage } from "./backend/Storage.ts"
export { StorageError, StoreErasedError } from "./backend/StorageError.ts"
export { StoreId } from "./backend/StoreId.ts"
export {
  type CompactionGroup,
  type Contain,
  type CutoffRequest,
  type Lease,
  LeaseLostError,
  StoreProgress
} from "./backend/StoreProgress.ts"
export { type ConnectionDetails, CurrentConnection } from "./connection/CurrentConnection.ts"
export type { Transport, TransportListener } from "./connection/Transport.ts"
export { RequestError } from "./wire/errors.ts"
export { type AnnouncedLimits, defaultLimits, type Limits } from "./wire/limits.ts"
export { type ErrorCode, type ErrorReason, subprotocol } from "./wire/messages.ts"

// The reference backend.

export { layerAuthAllowAll } from "./memory/authAllowAll.ts"
export { memoryBackend } from "./memory/backend.ts"
export { layerStorage, layerStorageMemory } from "./memory/storage.ts"
export { memoryProgress } from "./memory/storeProgress.ts"
export { layerStoreRegistryMemory } from "./memory/storeRegistry.ts"
