import { Data } from "effect"
import type { EventLogServerAuthError } from "../backend/EventLogServerAuth.ts"
import type { EventLogServerStoreRegistryError } from "../backend/EventLogServerStoreRegistry.ts"
import type { FeedLostError, StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { ErrorCode, ErrorReason, ErrorUnencrypted } from "./messages.ts"

/** A request that can't be granted, for a reason that the protocol names. */
export class RequestError extends Data.TaggedError("RequestError")<{
  readonly reason: ErrorReason
  /** Shown to the client. */
  readonly message: string
  /** The entries that caused the refusal, where single ones did. */
  readonly entryIds?: ReadonlyArray<Uint8Array> | undefined
}> {}

/** Every expected failure that a client is told of. */
export type DomainError =
  | RequestError
  | StorageError
  | StoreErasedError
  | FeedLostError
  | EventLogServerAuthError
  | EventLogServerStoreRegistryError

/** What an `Error` frame says of the request that it answers. */
export interface Correlation {
  /** The `_tag` of the request. */
  readonly requestTag: string
  readonly id?: number | undefined
  readonly publicKey?: string | undefined
}

/** The code of each reason, and whether the same request may succeed later. */
export const reasons: Readonly<Record<ErrorReason, { readonly code: ErrorCode; readonly retryable: boolean }>> = {
  NotProved: { code: "Unauthorized", retryable: false },
  BadProof: { code: "Unauthorized", retryable: false },
  Refused: { code: "Forbidden", retryable: false },
  NotMapped: { code: "InvalidRequest", retryable: false },
  AlreadyAssigned: { code: "InvalidRequest", retryable: false },
  Malformed: { code: "InvalidRequest", retryable: false },
  Limit: { code: "InvalidRequest", retryable: false },
  BadEntry: { code: "InvalidRequest", retryable: false },
  ClockSkew: { code: "InvalidRequest", retryable: true },
  FeedMismatch: { code: "InvalidRequest", retryable: false },
  Unavailable: { code: "Unavailable", retryable: true },
  RateLimited: { code: "Unavailable", retryable: true },
  ShuttingDown: { code: "Unavailable", retryable: true },
  Internal: { code: "InternalServerError", retryable: false }
}

interface Refusal {
  readonly reason: ErrorReason
  readonly message: string
  /** In place of the reason's own code. */
  readonly code?: ErrorCode
  readonly entryIds?: ReadonlyArray<Uint8Array> | undefined
}

type Refusals = {
  readonly [Tag in DomainError["_tag"]]: (error: Extract<DomainError, { readonly _tag: Tag }>) => Refusal
}

const notMapped: Refusal = { reason: "NotMapped", message: "The public key belongs to no store" }

const registryRefusals: Readonly<Record<EventLogServerStoreRegistryError["reason"], Refusal>> = {
  NotMapped: notMapped,
  AlreadyAssigned: { reason: "AlreadyAssigned", message: "The public key belongs to another store" },
  Unavailable: { reason: "Unavailable", message: "The store of the public key can't be looked up now" }
}

// Only what was written for clients is passed on: causes, and the messages of the storage and the registry, may name
// hosts, tables and other people's keys.
const refusals: Refusals = {
  RequestError: (error) => error,
  StorageError: (error) =>
    error.retryable
      ? { reason: "Unavailable", message: "The storage is unavailable" }
      : { reason: "Internal", message: "The storage failed" },
  StoreErasedError: () => notMapped,
  // Its connection is closed: it comes back to a server with another id.
  FeedLostError: () => ({ reason: "Unavailable", message: "The history of the server is another one: connect again" }),
  EventLogServerAuthError: (error) => ({
    reason: "Refused",
    code: error.reason,
    message: error.message || "Refused",
    entryIds: error.entryIds
  }),
  EventLogServerStoreRegistryError: (error) => registryRefusals[error.reason]
}

// The table is total; indexing it by a union loses that the row fits the error.
const refusalOf = (error: DomainError): Refusal => (refusals[error._tag] as (error: DomainError) => Refusal)(error)

/** What the protocol calls the reason of a failure. */
export const reasonOf = (error: DomainError): ErrorReason => refusalOf(error).reason

/** The `Error` that tells a client why its request failed. */
export const toErrorFrame = (error: DomainError, request: Correlation): ErrorUnencrypted => {
  const refusal = refusalOf(error)
  const { code, retryable } = reasons[refusal.reason]
  return {
    _tag: "Error",
    requestTag: request.requestTag,
    ...(request.id === undefined ? {} : { id: request.id }),
    ...(request.publicKey === undefined ? {} : { publicKey: request.publicKey }),
    code: refusal.code ?? code,
    reason: refusal.reason,
    // An app's text may have been cut inside a character, which UTF-8 can't say.
    message: refusal.message.toWellFormed(),
    retryable,
    ...(refusal.entryIds === undefined ? {} : { entryIds: refusal.entryIds })
  }
}
