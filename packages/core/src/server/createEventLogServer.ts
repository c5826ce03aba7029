import { Context, Effect, Layer, ManagedRuntime, References, Stream } from "effect"
import type { Event, EventGroup, EventLog } from "effect/eventlog"
import type { Backend, BackendServices } from "../backend/Backend.ts"
import type { KeyMapping } from "../backend/EventLogServerStoreRegistry.ts"
import type { FeedEntry } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { type FailureReason, type KeptFailure, StoreProgress } from "../backend/StoreProgress.ts"
import type { ConnectionInfo, RefusalStatus } from "../connection/connections.ts"
import { shuttingDown } from "../connection/refusal.ts"
import { checkStoreId } from "../connection/storeId.ts"
import { checkOptions } from "../options/index.ts"
import type { StoreReset } from "../processing/options.ts"
import { askRule } from "./admit.ts"
import { layerAppLogger } from "./appLogger.ts"
import { layerAsyncAuth } from "./asyncAuth.ts"
import { type AsyncHandlers, layerAsyncHandlers } from "./asyncHandlers.ts"
import type { CreateEventLogServerOptions } from "./createOptions.ts"
import { EventLogServerUnencrypted, layer, type ServerStats } from "./EventLogServerUnencrypted.ts"
import { createExpectations } from "./expectedCreateOptions.ts"
import { type Health, healthOf, inTime } from "./health.ts"
import { InsideTransactionError } from "./insideTransaction.ts"
import { type Mountable, mountWhenReady } from "./mountable.ts"
import { resolveOptions } from "./options.ts"

/** An event of a schema, for the server to write. */
export type WriteOptions<Groups extends EventGroup.Any> = {
  readonly [Tag in Event.Tag<EventGroup.Events<Groups>>]: {
    readonly storeId: string
    readonly event: Tag
    readonly payload: Event.PayloadWithTag<EventGroup.Events<Groups>, Tag>
    /** `false` only sends it to subscribers: no handler, no reactivity, no conflicts. @default true */
    readonly runHandlers?: boolean | undefined
  }
}[Event.Tag<EventGroup.Events<Groups>>]

/**
 * The server behind promises. Failures reject with the domain's tagged errors; after `close` was called everything else
 * rejects with a `RequestError` of the reason `ShuttingDown`.
 */
export interface EventLogServer<Groups extends EventGroup.Any> extends Mountable {
  /**
   * Looks at the storage, for `healthTimeout` at most: resolves when it answers and has what the server needs; rejects with
   * an error that says what to do. Nothing needs to wait for it: devices that come while the storage is away wait.
   */
  readonly ready: () => Promise<void>
  /**
   * Looks at the storage again, likewise, and says how the server is; while it closes, that it is `draining`. Never rejects.
   * Those who ask at the same time share one look.
   */
  readonly health: () => Promise<Health>
  /** Maps a key to a store. A signing key replaces the one bound before. */
  readonly assign: (options: {
    readonly publicKey: string
    readonly storeId: string
    readonly signingPublicKey?: Uint8Array | undefined
  }) => Promise<void>
  /** Ends a key's access: here at once, on other nodes within `reauthorizeInterval`. */
  readonly remove: (publicKey: string) => Promise<void>
  /**
   * Mapped keys in a stable order: those of a store, or all, behind the key `after`; `limit` of them at most.
   * @param query limit: default 100
   */
  readonly keys: (query?: {
    readonly storeId?: string | undefined
    readonly after?: string | undefined
    readonly limit?: number | undefined
  }) => Promise<ReadonlyArray<KeyMapping>>
  /** Appends an event that the server authored. */
  readonly write: (options: WriteOptions<Groups>) => Promise<{ readonly sequenceNumbers: ReadonlyArray<number> }>
  /** Resolves when handlers ran for everything up to `sequence`, on whichever node. */
  readonly processed: (options: { readonly storeId: string; readonly sequence: number }) => Promise<void>
  /**
   * Entries that were not handled and are kept, in a stable order: those of a store, or all, behind `after`, which may be the last
   * one of a page; `limit` of them at most.
   * @param query limit: default 100
   */
  readonly failures: (query?: {
    readonly storeId?: string | undefined
    readonly after?: { readonly storeId: string; readonly sequence: number } | undefined
    readonly limit?: number | undefined
  }) => Promise<ReadonlyArray<KeptFailure>>
  /**
   * Has an entry that failed tried again: soon, in its store's turn, by whichever node holds its lease. Resolves when that is
   * sure to happen, even if this process ends. The failure is gone when it succeeded, and else counts another attempt.
   */
  readonly retryFailure: (which: { readonly storeId: string; readonly sequence: number }) => Promise<void>
  /** The same for all failures that are kept now: those of a store, of a reason, or all. Resolves to how many. */
  readonly retryFailures: (query?: {
    readonly storeId?: string | undefined
    readonly reason?: FailureReason | undefined
  }) => Promise<number>
  /** Forgets a failure: its entry will not be handled. */
  readonly discardFailure: (which: { readonly storeId: string; readonly sequence: number }) => Promise<void>
  /**
   * Has handlers see entries again, those of a store or of all stores, from `from` on (inclusive): in their order, with `isReplay`,
   * while new ones wait behind. Resolves, with how many stores there are, when that is sure to happen, even if this process ends.
   * @param which from: default the first entry
   */
  readonly reprocess: (which?: {
    readonly storeId?: string | undefined
    readonly from?: number | undefined
  }) => Promise<number>
  /** Committed entries from `from` (inclusive; 0 is 1) up to `to`, by default up to the head. */
  readonly read: (options: {
    readonly storeId: string
    readonly from: number
    readonly to?: number | undefined
  }) => AsyncIterable<FeedEntry>
  /** Closes the connections of this node that use a key or read a store, and answers how many. */
  readonly disconnect: (selector: { readonly publicKey: string } | { readonly storeId: string }) => Promise<number>
  /** Erases a store for good, and ends its subscriptions. */
  readonly erase: (storeId: string) => Promise<void>
  readonly stats: () => Promise<ServerStats>
}

const handlersOf = <Groups extends EventGroup.Any, Transaction>({
  backend,
  handlers,
  schema
}: CreateEventLogServerOptions<Groups, Transaction>): Layer.Layer<
  EventGroup.ToService<Groups>,
  never,
  EventLog.Registry
> =>
  Layer.isLayer(handlers)
    ? (handlers as Layer.Layer<EventGroup.ToService<Groups>, never, EventLog.Registry>)
    : layerAsyncHandlers(schema, handlers as AsyncHandlers<Groups, Transaction>, backend.transactions)

/** The app's callback, called as one that is given a transaction. */
const onResetOf = <Groups extends EventGroup.Any, Transaction>({
  backend: { transactions },
  onReset
}: CreateEventLogServerOptions<Groups, Transaction>) =>
  onReset === undefined || transactions === undefined
    ? onReset
    : (reset: StoreReset<Transaction>) => transactions.enter(reset.transaction, () => onReset(reset))

/**
 * The backend with other cursors. Compaction's cut-offs stay where they are: kept per node, they could fall, and a device
 * in the middle of its first sync would lose entries.
 */
const withProgress = <Transaction>(
  backend: Backend<Transaction>,
  progress: Layer.Layer<StoreProgress, never, BackendServices>
): Layer.Layer<BackendServices> =>
  Layer.effect(
    StoreProgress,
    Effect.gen(function* () {
      const { raiseCutoffs } = yield* StoreProgress
      return { ...Context.get(yield* Layer.build(progress), StoreProgress), raiseCutoffs }
    })
  ).pipe(Layer.provideMerge(backend.layer))

/** A store's id is a string to the app, and may be anything in JavaScript. */
const withStore = <A, E>(storeId: string, use: (storeId: StoreId) => Effect.Effect<A, E>) =>
  Effect.flatMap(checkStoreId(storeId), use)

/** The same, where all stores are meant by none. */
const withSomeStore = <A, E>(
  storeId: string | undefined,
  use: (storeId: StoreId | undefined) => Effect.Effect<A, E>
): Effect.Effect<A, E | Effect.Error<ReturnType<typeof checkStoreId>>> =>
  storeId === undefined ? use(undefined) : withStore(storeId, use)

const readyOf = (services: Context.Context<EventLogServerUnencrypted>) =>
  Context.get(services, EventLogServerUnencrypted).ready

/** There is no tracer behind promises, and a span that nobody sees costs as much as one that is seen. */
const withoutSpans = Layer.succeed(References.TracerEnabled, false)

const layerOf = <Groups extends EventGroup.Any, Transaction>(
  options: CreateEventLogServerOptions<Groups, Transaction>
) => {
  const { auth, backend, compaction = [], enroll, handlers, logger, progress, schema, ...serverOptions } = options
  const server = Layer.mergeAll(Layer.empty, ...compaction).pipe(
    Layer.provideMerge(layer(schema, handlersOf(options), { ...serverOptions, onReset: onResetOf(options) })),
    Layer.provide(progress === undefined ? backend.layer : withProgress(backend, progress)),
    Layer.provide(layerAsyncAuth(auth, enroll))
  )
  const logged = logger === undefined ? server : Layer.provideMerge(server, layerAppLogger(logger))
  return Layer.provideMerge(logged, withoutSpans)
}

/**
 * Makes a server: `layer`, behind promises. It starts at once; an adapter mounts it, `close` ends it. What the user
 * handed in (a database, a Redis client, a logger) is never closed. Throws an `InvalidOptionsError` that names what is wrong
 * with the options.
 */
export const createEventLogServer = <Groups extends EventGroup.Any, Transaction = undefined>(
  options: CreateEventLogServerOptions<Groups, Transaction>
): EventLogServer<Groups> => {
  checkOptions("createEventLogServer", options, createExpectations((options as Partial<typeof options> | null)?.schema))
  const runtime = ManagedRuntime.make(layerOf(options))
  const { admit: rule, authTimeout, endpoints, healthTimeout, limits } = resolveOptions(options)
  const mount = mountWhenReady(limits, runtime.runPromise(EventLogServerUnencrypted))
  let closed: Promise<void> | undefined
  const refuseWhenClosed = (): void => {
    if (closed !== undefined) throw shuttingDown()
  }
  /** What needs the storage can't be asked for by a handler whose transaction is open. */
  const refuseInside = (operation: string): void => {
    if (options.backend.transactions?.isInside()) throw new InsideTransactionError({ operation })
  }
  const run = async <A, E>(use: (server: EventLogServerUnencrypted["Service"]) => Effect.Effect<A, E>): Promise<A> => {
    refuseWhenClosed()
    return runtime.runPromise(Effect.flatMap(EventLogServerUnencrypted, use))
  }
  const call = async <A, E>(
    operation: string,
    use: (server: EventLogServerUnencrypted["Service"]) => Effect.Effect<A, E>
  ): Promise<A> => {
    refuseInside(operation)
    return run(use)
  }
  const lookOnceOpen = inTime(healthTimeout)(Effect.suspend(() => Effect.flatMap(runtime.contextEffect, readyOf)))
  /** A backend may be slow to open, too, so that counts. */
  const look = async (operation: string): Promise<void> => {
    refuseWhenClosed()
    refuseInside(operation)
    return Effect.runPromise(lookOnceOpen)
  }
  /** A server that isn't ready yet lets connections wait, but not those that the app would refuse. */
  const admit = async (info: ConnectionInfo): Promise<RefusalStatus | undefined> => {
    const status = closed === undefined ? mount.refusal() : 503
    if (status !== undefined) return status
    if (mount.isReady()) return runtime.runPromise(EventLogServerUnencrypted.use((server) => server.admit(info)))
    return Effect.runPromise(askRule(info, rule, authTimeout))
  }
  const close = async (): Promise<void> => {
    mount.close()
    try {
      // Disposing interrupts what was begun, so that is finished first. A server that isn't ready yet has begun nothing.
      if (mount.isReady()) await runtime.runPromise(EventLogServerUnencrypted.use((server) => server.drain))
    } finally {
      await runtime.dispose()
    }
  }
  return {
    limits,
    endpoints,
    admit,
    connect: mount.connect,
    close: () => (closed ??= close()),
    ready: () => look("ready"),
    health: () =>
      Effect.runPromise(
        healthOf(Effect.tryPromise({ try: () => look("health"), catch: (error) => error }), () => closed !== undefined)
      ),
    assign: ({ storeId, ...rest }) =>
      call("assign", (server) => withStore(storeId, (storeId) => server.assign({ ...rest, storeId }))),
    remove: (publicKey) => call("remove", (server) => server.remove(publicKey)),
    keys: ({ after, limit = 100, storeId } = {}) =>
      call("keys", (server) => withSomeStore(storeId, (storeId) => server.keys({ after, limit, storeId }))),
    write: ({ event, payload, runHandlers, storeId }) =>
      call("write", (server) =>
        Effect.map(
          withStore(storeId, (storeId) =>
            server.write({ schema: options.schema, storeId, event, payload, runHandlers })
          ),
          ({ sequenceNumbers }) => ({ sequenceNumbers })
        )
      ),
    processed: ({ sequence, storeId }) =>
      call("processed", (server) => withStore(storeId, (storeId) => server.processed({ storeId, sequence }))),
    failures: ({ after, limit = 100, storeId } = {}) =>
      call("failures", (server) =>
        withSomeStore(storeId, (storeId) =>
          withSomeStore(after?.storeId, (behind) =>
            server.failures({ storeId, after: behind && { storeId: behind, sequence: after!.sequence }, limit })
          )
        )
      ),
    retryFailure: ({ sequence, storeId }) =>
      call("retryFailure", (server) => withStore(storeId, (storeId) => server.retryFailure({ storeId, sequence }))),
    retryFailures: ({ reason, storeId } = {}) =>
      call("retryFailures", (server) => withSomeStore(storeId, (storeId) => server.retryFailures({ storeId, reason }))),
    discardFailure: ({ sequence, storeId }) =>
      call("discardFailure", (server) => withStore(storeId, (storeId) => server.discardFailure({ storeId, sequence }))),
    reprocess: ({ from, storeId } = {}) =>
      call("reprocess", (server) => withSomeStore(storeId, (storeId) => server.reprocess({ storeId, from }))),
    read: ({ storeId, ...range }) =>
      Stream.toAsyncIterable(
        Stream.unwrap(
          Effect.map(
            Effect.promise(() => call("read", Effect.succeed)),
            (server) =>
              Stream.unwrap(withStore(storeId, (storeId) => Effect.succeed(server.read({ ...range, storeId }))))
          )
        )
      ),
    disconnect: (selector) => run((server) => server.disconnect(selector)),
    erase: (storeId) => call("erase", (server) => withStore(storeId, server.erase)),
    stats: () => run((server) => server.stats)
  }
}
