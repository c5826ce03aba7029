import { Context, Data, type Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { StoreId } from "./StoreId.ts"

interface AuthErrorFields {
  readonly reason: "Unauthorized" | "Forbidden"
  readonly publicKey: string
  /** Shown to the client. @default "Refused" */
  readonly message?: string | undefined
  /**
   * The ids of the entries that are the reason, where single ones of a batch are: then a device can set them aside and
   * send the rest, instead of being stopped by them for good. The batch is refused whole all the same.
   */
  readonly entryIds?: ReadonlyArray<Uint8Array> | undefined
}

/** A client may not do what it asked for. */
export class EventLogServerAuthError extends Data.TaggedError("EventLogServerAuthError")<AuthErrorFields> {
  constructor(fields: AuthErrorFields) {
    super({ ...fields, message: fields.message ?? "Refused" })
  }
}

/** A key that proves itself, and the signing key that it did it with. */
export interface IdentityClaim {
  readonly publicKey: string
  /** Ed25519, 32 bytes. */
  readonly signingPublicKey: Uint8Array
}

/**
 * Decides what clients may do. The server's own writes never ask it. Each member can read `CurrentConnection`.
 *
 * Anything else than an `EventLogServerAuthError`, a defect included, counts as an outage: the client is told to retry,
 * and what it was already granted stays.
 */
export class EventLogServerAuth extends Context.Service<
  EventLogServerAuth,
  {
    /** Asked once for each write request, before anything is resolved or stored. Refusing refuses the whole batch. */
    readonly authorizeWrite: (options: {
      readonly publicKey: string
      readonly entries: ReadonlyArray<EventJournal.Entry>
    }) => Effect.Effect<void, EventLogServerAuthError>
    /** Asked before a subscription is created, and again every `reauthorizeInterval` while it lives. */
    readonly authorizeRead: (publicKey: string) => Effect.Effect<void, EventLogServerAuthError>
    /** Asked when a key proved itself, before it is bound. Default: no further check. */
    readonly authorizeIdentity?: ((claim: IdentityClaim) => Effect.Effect<void, EventLogServerAuthError>) | undefined
    /**
     * Names the store of a device that was never seen before; failing leaves it unmapped. Default: only keys that an
     * administrator assigned have a store.
     */
    readonly enroll?: ((claim: IdentityClaim) => Effect.Effect<StoreId, EventLogServerAuthError>) | undefined
  }
>()("@eventlog-server/core/EventLogServerAuth") {}
