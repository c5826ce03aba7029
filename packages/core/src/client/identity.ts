import { Data, Effect, Layer } from "effect"
import { EventLog, EventLogEncryption } from "effect/eventlog"

/** Where a device keeps its identity. `localStorage` is one; a promise is waited for. */
export interface IdentityStorage {
  readonly getItem: (key: string) => string | null | Promise<string | null>
  readonly setItem: (key: string, value: string) => void | Promise<void>
}

/** The device's identity could not be read or kept. A stored identity is never replaced: the server knows the device by it. */
export class IdentityError extends Data.TaggedError("IdentityError")<{
  readonly message: string
  readonly cause: unknown
}> {}

/** Where an identity is kept. */
export interface IdentityOptions {
  readonly storage: IdentityStorage
  /** The name it is kept under. @default "eventlog-identity" */
  readonly key?: string | undefined
}

/**
 * A new identity: a random public key, and a random secret that the device's keys derive from. It needs no secure
 * origin; proving it does.
 */
export const generateIdentity: Effect.Effect<EventLog.Identity["Service"]> = Effect.provide(
  EventLog.makeIdentity,
  EventLogEncryption.layerSubtle
)

const attempt = <A>(message: string, run: () => A | Promise<A>): Effect.Effect<A, IdentityError> =>
  Effect.tryPromise({ try: async () => run(), catch: (cause) => new IdentityError({ message, cause }) })

/** The identity that is kept, or a new one, which then is kept. */
export const loadIdentity = Effect.fnUntraced(function* ({
  key = "eventlog-identity",
  storage
}: IdentityOptions): Effect.fn.Return<EventLog.Identity["Service"], IdentityError> {
  const stored = yield* attempt("The identity can't be read", () => storage.getItem(key))
  if (stored !== null) {
    return yield* attempt("What is kept is not an identity", () => EventLog.decodeIdentityString(stored))
  }
  const identity = yield* generateIdentity
  yield* attempt("The identity can't be kept", () => storage.setItem(key, EventLog.encodeIdentityString(identity)))
  return identity
})

/** Provides {@link loadIdentity} to `EventLog.layer`. */
export const layerIdentity = (options: IdentityOptions): Layer.Layer<EventLog.Identity, IdentityError> =>
  Layer.effect(EventLog.Identity, loadIdentity(options))
