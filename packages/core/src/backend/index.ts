/**
 * What a storage implements, and what storages share. A storage package imports this entry point and nothing else of core.
 */

// The ports.

export type { Backend, BackendServices, HandlerTransactions } from "./Backend.ts"
export { CurrentTransaction } from "./CurrentTransaction.ts"
export {
  type AccessChange,
  EventLogServerStoreRegistry,
  EventLogServerStoreRegistryError,
  type KeyMapping,
  type KeysQuery
} from "./EventLogServerStoreRegistry.ts"
export { FeedAdmin, type Rotation, type StoreHead } from "./FeedAdmin.ts"
export {
  type Appended,
  type BucketBounds,
  type BucketRange,
  type BucketSelection,
  type FeedEntry,
  type FeedHead,
  type FeedPage,
  type FeedRecord,
  FeedStore,
  type KnownEntry,
  type PageLimits,
  type ReadOptions,
  type SurvivingEvents,
  type Survivor,
  type Survivors,
  type SurvivorsRequest,
  type Wakeup
} from "./FeedStore.ts"
export { FeedLostError, StorageError, StoreErasedError } from "./StorageError.ts"
export { StoreId } from "./StoreId.ts"
export {
  type CompactionGroup,
  type Contain,
  type CutoffRequest,
  type Failure,
  type FailureReason,
  type Failures,
  type FailuresQuery,
  type KeptFailure,
  type Lease,
  LeaseLostError,
  StoreProgress,
  type Within
} from "./StoreProgress.ts"

// What storages share.

export {
  aBoolean,
  aFunction,
  aText,
  checkOptions,
  type Expectations,
  members,
  oneOf,
  required,
  time,
  withFunctions,
  withHint
} from "../options/index.ts"
export { entryBytes } from "../wire/fields.ts"
export { AccessListeners } from "./AccessListeners.ts"
export { compareAll } from "./behind.ts"
export { bucketName } from "./bucketName.ts"
export { raiseGroups } from "./cutoffs.ts"
export { WakeupListeners } from "./WakeupListeners.ts"
