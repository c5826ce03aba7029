import { Context, Data, type Effect, type Stream } from "effect"
import type { StoreId } from "./StoreId.ts"

interface RegistryErrorFields {
  readonly reason: "NotMapped" | "AlreadyAssigned" | "Unavailable"
  readonly publicKey?: string | undefined
  readonly storeId?: StoreId | undefined
  /** @default says the reason */
  readonly message?: string | undefined
  readonly cause?: unknown
}

const messages: Readonly<Record<RegistryErrorFields["reason"], string>> = {
  NotMapped: "belongs to no store",
  AlreadyAssigned: "belongs, or once belonged, to another store: a key may only return to its own",
  Unavailable: "can't be looked up now"
}

const messageOf = ({ publicKey, reason }: RegistryErrorFields): string =>
  `The public key${publicKey === undefined ? "" : ` "${publicKey}"`} ${messages[reason]}`

/**
 * A public key could not be resolved or mapped.
 *
 * - `NotMapped`: the key belongs to no store (any more).
 * - `AlreadyAssigned`: the key belongs, or once belonged, to another store. A key may only ever return to its own:
 *   a device's cursor and journal belong to it. A user who moves to another store gets a new device identity.
 * - `Unavailable`: the registry can't answer now.
 */
export class EventLogServerStoreRegistryError extends Data.TaggedError(
  "EventLogServerStoreRegistryError"
)<RegistryErrorFields> {
  constructor(fields: RegistryErrorFields) {
    super({ ...fields, message: fields.message ?? messageOf(fields) })
  }
}

/** A public key, its store, and the Ed25519 key that it proves itself with (32 bytes; `undefined`: none bound yet). */
export interface KeyMapping {
  readonly publicKey: string
  readonly storeId: StoreId
  readonly signingPublicKey: Uint8Array | undefined
}

/** Which keys are listed: those of a store or of all, behind the key `after`, `limit` at most. */
export interface KeysQuery {
  readonly storeId?: StoreId | undefined
  readonly after?: string | undefined
  readonly limit: number
}

/** A key whose access may have changed, or `"any"`: notes may have been lost, so every key's may have. */
export type AccessChange = { readonly publicKey: string } | "any"

/** Which public key belongs to which store, and which signing key is its own. Durable domain state. */
export class EventLogServerStoreRegistry extends Context.Service<
  EventLogServerStoreRegistry,
  {
    /** The store of a key; `NotMapped` when it has none or was removed. */
    readonly resolve: (publicKey: string) => Effect.Effect<StoreId, EventLogServerStoreRegistryError>
    /**
     * Maps a key to a store, or back to it after `remove`; the same pair again is no error. With a signing key it also
     * binds that key, in the same atomic step and in place of the one bound before: this is the administrator's call.
     */
    readonly assign: (options: {
      readonly publicKey: string
      readonly storeId: StoreId
      readonly signingPublicKey?: Uint8Array | undefined
    }) => Effect.Effect<void, EventLogServerStoreRegistryError>
    /**
     * First contact of a device: maps and binds a key that was never mapped, in one atomic step. Of two that race the
     * first one stands; the answer is the mapping in force, so the caller sees whether it is its own. Fails
     * `NotMapped` for a key that was removed, since only `assign` brings one back.
     */
    readonly enroll: (options: {
      readonly publicKey: string
      readonly storeId: StoreId
      readonly signingPublicKey: Uint8Array
    }) => Effect.Effect<KeyMapping, EventLogServerStoreRegistryError>
    /**
     * Binds a signing key to a mapped key that has none, and answers the one that is bound: its own or the first
     * one's. Fails `NotMapped` without binding anything.
     */
    readonly bind: (options: {
      readonly publicKey: string
      readonly signingPublicKey: Uint8Array
    }) => Effect.Effect<Uint8Array, EventLogServerStoreRegistryError>
    /** Ends a key's access. Its store and its signing key are remembered. Removing an unknown key is no error. */
    readonly remove: (publicKey: string) => Effect.Effect<void, EventLogServerStoreRegistryError>
    /** Mapped keys in a stable order; those of a store are found without looking at those of others. */
    readonly list: (query: KeysQuery) => Effect.Effect<ReadonlyArray<KeyMapping>, EventLogServerStoreRegistryError>
    /**
     * Notes of every process, this one's included: a key was removed, or another signing key was bound to it. It emits
     * `"any"` as soon as it listens, and again after a connection that was lost. A note may be spurious and may become
     * `"any"`; none is lost for good, and each arrives within a second while the backend is there.
     */
    readonly changes: Stream.Stream<AccessChange, EventLogServerStoreRegistryError>
  }
>()("@eventlog-server/core/EventLogServerStoreRegistry") {}
