import { Data } from "effect"
import { EventLogRemote } from "effect/eventlog"
import type { ErrorCode, ErrorReason, ErrorUnencrypted } from "../wire/index.ts"

/** The server refused a request. Nothing of the request was done. */
export class RemoteRefusal extends Data.TaggedError("RemoteRefusal")<{
  /** The `_tag` of the refused request, such as `"WriteEntries"`. */
  readonly requestTag: string
  readonly code: ErrorCode
  readonly reason: ErrorReason
  /** The server's words, for people. */
  readonly message: string
  /** Whether the same request may succeed later. */
  readonly retryable: boolean
  /** The ids of the entries that caused the refusal; empty where no single ones did. */
  readonly entryIds: ReadonlyArray<Uint8Array>
}> {
  /** The refusal that an `Error` frame tells of. */
  static fromFrame(frame: ErrorUnencrypted): RemoteRefusal {
    const { code, message, reason, requestTag, retryable } = frame
    return new RemoteRefusal({ requestTag, code, reason, message, retryable, entryIds: frame.entryIds ?? [] })
  }
}

/** A connection could not be opened, or ended. The client connects again by itself. */
export class ConnectionFailure extends Data.TaggedError("ConnectionFailure")<{
  /**
   * `Open`: no connection came about. `Closed`: it was closed. `Timeout`: the peer fell silent. `Protocol`: the peer
   * sent what the protocol doesn't allow.
   */
  readonly reason: "Open" | "Closed" | "Timeout" | "Protocol"
  readonly message: string
  /** The websocket close code, where there was one. */
  readonly closeCode?: number | undefined
  /** The HTTP status that the server refused the connection with, where it could be found out. */
  readonly status?: number | undefined
  /** How long the server asked this device to stay away, in milliseconds, where it did. */
  readonly retryAfter?: number | undefined
  readonly cause?: unknown
}> {}

/** A key can't be proved: no Ed25519 here, for instance since the page's origin is not secure (plain http). */
export class CryptoUnavailable extends Data.TaggedError("CryptoUnavailable")<{
  readonly message: string
  readonly cause?: unknown
}> {}

/** A remote is not served any more: the client was closed, or its server is another one by now. */
export class RemoteRetired extends Data.TaggedError("RemoteRetired")<{
  readonly reason: "Closed" | "Replaced"
  readonly message: string
}> {}

/** The causes of a {@link ClientError}. */
export type ClientFailure = RemoteRefusal | ConnectionFailure | CryptoUnavailable | RemoteRetired

/** What the client was doing when it failed. */
export type ClientMethod = "connect" | "authenticate" | "changes" | "write"

/** effect's `EventLogRemoteError`, its method and cause narrowed to what this client fails with. */
export type ClientError = EventLogRemote.EventLogRemoteError & {
  readonly method: ClientMethod
  readonly cause: ClientFailure
}

/** Makes a {@link ClientError}. It speaks with its cause's message, since effect's class has none of its own. */
export const clientError = (method: ClientMethod, cause: ClientFailure): ClientError => {
  const error = new EventLogRemote.EventLogRemoteError({ method, cause })
  Object.defineProperty(error, "message", { value: cause.message })
  return error as ClientError
}
