import { Effect, Layer } from "effect"
import type { EventJournal } from "effect/eventlog"
import { EventLogServerAuth, EventLogServerAuthError, type IdentityClaim } from "../backend/EventLogServerAuth.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { type ConnectionDetails, CurrentConnection } from "../connection/CurrentConnection.ts"
import { callPlain } from "../containment/plainFunction.ts"

/** Where a request came in: `undefined` for requests that no connection carried. */
interface WithConnection {
  readonly connection: ConnectionDetails | undefined
}

/**
 * What clients may do, as plain functions. `refuse()` (or throwing an `EventLogServerAuthError`) refuses; anything else
 * that is thrown counts as an outage, and the client tries again.
 */
export interface AsyncAuth {
  /** May the key read its store? Asked at the subscription, and again every `reauthorizeInterval`. */
  readonly read: (request: WithConnection & { readonly publicKey: string }) => unknown
  /** May the key write this batch? Refusing refuses all of it. */
  readonly write: (
    request: WithConnection & { readonly publicKey: string; readonly entries: ReadonlyArray<EventJournal.Entry> }
  ) => unknown
  /** May the key be used at all? Asked when it proved itself. @default yes */
  readonly identity?: ((request: WithConnection & IdentityClaim) => unknown) | undefined
}

/** Names the store of a device that was never seen before. */
export type AsyncEnroll = (request: WithConnection & IdentityClaim) => string | Promise<string>

/** Lets every client do everything in the store that its key is mapped to. It has to be written out. */
export const allowAll: AsyncAuth = { read: () => {}, write: () => {} }

/** How something is refused. */
export interface RefuseOptions {
  /** @default "Forbidden" */
  readonly reason?: "Unauthorized" | "Forbidden" | undefined
  /**
   * The entries of the batch that are the reason. The batch is refused whole, but the device can set these aside and send
   * the rest; without them it can't send anything any more. @default the reason is not in single entries
   */
  readonly entries?: ReadonlyArray<Pick<EventJournal.Entry, "id">> | undefined
}

/** What `refuse` throws. */
class Refusal extends Error {
  readonly _tag = "Refusal"
  readonly reason: "Unauthorized" | "Forbidden"
  readonly entryIds: ReadonlyArray<Uint8Array> | undefined
  constructor(message: string, { entries, reason = "Forbidden" }: RefuseOptions) {
    super(message)
    this.reason = reason
    this.entryIds = entries?.map(({ id }) => id)
  }
}

/**
 * Refuses what an auth or enroll function was asked.
 *
 * @param message shown to the client @default "Refused"
 */
export const refuse = (message = "Refused", options: RefuseOptions = {}): never => {
  throw new Refusal(message, options)
}

/** The functions as the `EventLogServerAuth` service. */
export const layerAsyncAuth = (auth: AsyncAuth, enroll: AsyncEnroll | undefined): Layer.Layer<EventLogServerAuth> => {
  const { identity } = auth
  return Layer.succeed(EventLogServerAuth, {
    authorizeRead: (publicKey) => ask(publicKey, (connection) => auth.read({ publicKey, connection })),
    authorizeWrite: ({ entries, publicKey }) =>
      ask(publicKey, (connection) => auth.write({ publicKey, entries, connection })),
    authorizeIdentity:
      identity && ((claim) => ask(claim.publicKey, (connection) => identity({ ...claim, connection }))),
    enroll:
      enroll &&
      ((claim) => ask(claim.publicKey, async (connection) => (await enroll({ ...claim, connection })) as StoreId))
  })
}

const ask = <A>(
  publicKey: string,
  question: (connection: ConnectionDetails | undefined) => A | Promise<A>
): Effect.Effect<A, EventLogServerAuthError> =>
  Effect.flatMap(CurrentConnection, (connection) => callPlain(() => question(connection))).pipe(
    Effect.catch((thrown) => {
      const refusal = asRefusal(publicKey, thrown)
      return refusal === undefined ? Effect.die(thrown) : Effect.fail(refusal)
    })
  )

// By tag rather than `instanceof`: an app may load this package twice, as ESM and as CommonJS. So the rest may be anything.
const asRefusal = (publicKey: string, thrown: unknown): EventLogServerAuthError | undefined => {
  const { _tag, entryIds, message, reason } = (thrown ?? {}) as Readonly<Record<string, unknown>>
  if (_tag !== "Refusal" && _tag !== "EventLogServerAuthError") return undefined
  return new EventLogServerAuthError({
    publicKey,
    reason: reason === "Unauthorized" ? "Unauthorized" : "Forbidden",
    message: typeof message === "string" ? message : undefined,
    ...(isByteStrings(entryIds) ? { entryIds } : {})
  })
}

/** Whether what was thrown refuses: `refuse` threw it, or somebody an `EventLogServerAuthError`. */
export const isRefusal = (thrown: unknown): boolean => asRefusal("", thrown) !== undefined

const isByteStrings = (value: unknown): value is ReadonlyArray<Uint8Array> =>
  Array.isArray(value) && value.every((item) => item instanceof Uint8Array)
