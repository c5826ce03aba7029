import { Context, Effect, Layer, ManagedRuntime, References, Stream } from "effect"
import type { Event, EventGroup, EventLog } from "effect/eventlog"
import type { Backend, BackendServices } from "../backend/Backend.ts"
import type { KeyMapping } from "../backend/EventLogServerStoreRegistry.ts"
import type { FeedEntry } from "../backend/FeedStore.ts"
import { StoreId } from "../backend/StoreId.ts"
import { type FailureReason, type KeptFailure, StoreProgress } from "../backend/StoreProgress.ts"
import type { ConnectionInfo, RefusalStatus } from "../connection/connections.ts"
import { shuttingDown } from "../connection/refusal.ts"
import type { StoreReset } from "../processing/options.ts"
import { askRule } from "./admit.ts"
import { type AppLogger, layerAppLogger } from "./appLogger.ts"
import { type AsyncAuth, type AsyncEnroll, layerAsyncAuth } from "./asyncAuth.ts"
import { type AsyncHandlers, layerAsyncHandlers } from "./asyncHandlers.ts"
import { type EntryPlace, EventLogServerUnencrypted, layer, type ServerStats } from "./EventLogServerUnencrypted.ts"
import { InsideTransactionError } from "./insideTransaction.ts"
import { type Mountable, mountWhenReady } from "./mountable.ts"
import { resolveOptions, type ServerOptions } from "./options.ts"

/** What a server is made of. */
export interface CreateEventLogServerOptions<Groups extends EventGroup.Any, Transaction = undefined>
  extends ServerOptions {
  readonly schema: EventLog.EventLogSchema<Groups>
  /** One plain function for each event, or the `EventLog.group` layers that devices run. */
  readonly handlers:
    | AsyncHandlers<Groups, Transaction>
    | Layer.Layer<EventGroup.ToService<Groups>, never, EventLog.Registry>
  /** The storage, such as `memoryBackend()`. */
  readonly backend: Backend<Transaction>
  /** Where processing remembers how far it is; it may build on the backend's services. @default in the backend */
  readonly progress?: Layer.Layer<StoreProgress, never, BackendServices> | undefined
  /**
   * Compacts old history when it is read, such as
   * `[groupCompaction(Todos, { olderThan: "30 days" }, keepLast())]`. @default everything is sent as it was written
   */
  readonly compaction?: ReadonlyArray<Layer.Layer<never, never, EventLogServerUnencrypted>> | undefined
  /** See `ServerOptions.onReset`; it is given the backend's transaction, as handlers are. */
  readonly onReset?: ((reset: StoreReset<Transaction>) => unknown) | undefined
  /** What clients may do. There is no default: `allowAll` must be written out. */
  readonly auth: AsyncAuth
  /** Names the store of a device that was never seen before. @default only assigned keys have a store */
  readonly enroll?: AsyncEnroll | undefined
  /** Where the server logs, such as Fastify's `app.log`. @default effect's logger, on the console */
  readonly logger?: AppLogger | undefined
}

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
  /** Resolves when the backend is open; rejects when it can't be. Nothing needs to wait for it. */
  readonly ready: () => Promise<void>
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

/** There is no tracer behind promises, and a span that nobody sees costs as much as one that is seen. */
const withoutSpans = Layer.succeed(References.TracerEnabled, false)

const layerOf = <Groups extends EventGroup.Any, Transaction>(
  options: CreateEventLogServerOptions<Groups, Transaction>
) => {
  const backend =
    options.progress === undefined ? options.backend.layer : withProgress(options.backend, options.progress)
  const compaction = Layer.mergeAll(Layer.empty, ...(options.compaction ?? []))
  const server = compaction.pipe(
    Layer.provideMerge(layer(options.schema, handlersOf(options), { ...options, onReset: onResetOf(options) })),
    Layer.provide(backend),
    Layer.provide(layerAsyncAuth(options.auth, options.enroll))
  )
  const logged = options.logger === undefined ? server : Layer.provideMerge(server, layerAppLogger(options.logger))
  return Layer.provideMerge(logged, withoutSpans)
}

const optionalId = (storeId: string | undefined): StoreId | undefined =>
  storeId === undefined ? undefined : StoreId.make(storeId)

const placeOf = ({ sequence, storeId }: { readonly storeId: string; readonly sequence: number }): EntryPlace => ({
  storeId: StoreId.make(storeId),
  sequence
})

/**
 * Makes a server: `layer`, behind promises. It starts at once; an adapter mounts it, `close` ends it. What the user
 * handed in (a database, a Redis client, a logger) is never closed.
 */
export const createEventLogServer = <Groups extends EventGroup.Any, Transaction = undefined>(
  options: CreateEventLogServerOptions<Groups, Transaction>
): EventLogServer<Groups> => {
  const runtime = ManagedRuntime.make(layerOf(options))
  const { admit: rule, authTimeout, endpoints, limits } = resolveOptions(options)
  const mount = mountWhenReady(limits, runtime.runPromise(EventLogServerUnencrypted))
  let closed: Promise<void> | undefined
  const run = async <A, E>(use: (server: EventLogServerUnencrypted["Service"]) => Effect.Effect<A, E>): Promise<A> => {
    if (closed !== undefined) throw shuttingDown()
    return runtime.runPromise(Effect.flatMap(EventLogServerUnencrypted, use))
  }
  /** What needs the storage can't be asked for by a handler whose transaction is open. */
  const call = async <A, E>(
    operation: string,
    use: (server: EventLogServerUnencrypted["Service"]) => Effect.Effect<A, E>
  ): Promise<A> => {
    if (options.backend.transactions?.isInside()) throw new InsideTransactionError({ operation })
    return run(use)
  }
  /** A server that isn't ready yet lets connections wait, but not those that the app would refuse. */
  const admit = async (info: ConnectionInfo): Promise<RefusalStatus | undefined> => {
    const status = closed === undefined ? mount.refusal(info) : 503
    return status !== undefined || rule === undefined ? status : Effect.runPromise(askRule(info, rule, authTimeout))
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
    ready: () => run(() => Effect.void),
    assign: ({ storeId, ...rest }) =>
      call("assign", (server) => server.assign({ ...rest, storeId: StoreId.make(storeId) })),
    remove: (publicKey) => call("remove", (server) => server.remove(publicKey)),
    keys: ({ after, limit = 100, storeId } = {}) =>
      call("keys", (server) => server.keys({ after, limit, storeId: optionalId(storeId) })),
    write: ({ event, payload, runHandlers, storeId }) =>
      call("write", (server) =>
        Effect.map(
          server.write({ schema: options.schema, storeId: StoreId.make(storeId), event, payload, runHandlers }),
          ({ sequenceNumbers }) => ({ sequenceNumbers })
        )
      ),
    processed: ({ sequence, storeId }) =>
      call("processed", (server) => server.processed({ storeId: StoreId.make(storeId), sequence })),
    failures: ({ after, limit = 100, storeId } = {}) =>
      call("failures", (server) =>
        server.failures({ storeId: optionalId(storeId), after: after && placeOf(after), limit })
      ),
    retryFailure: (which) => call("retryFailure", (server) => server.retryFailure(placeOf(which))),
    retryFailures: ({ reason, storeId } = {}) =>
      call("retryFailures", (server) => server.retryFailures({ storeId: optionalId(storeId), reason })),
    discardFailure: (which) => call("discardFailure", (server) => server.discardFailure(placeOf(which))),
    reprocess: ({ from, storeId } = {}) =>
      call("reprocess", (server) => server.reprocess({ storeId: optionalId(storeId), from })),
    read: ({ storeId, ...range }) =>
      Stream.toAsyncIterable(
        Stream.unwrap(
          Effect.map(
            Effect.promise(() => call("read", Effect.succeed)),
            (server) => server.read({ ...range, storeId: StoreId.make(storeId) })
          )
        )
      ),
    disconnect: (selector) => run((server) => server.disconnect(selector)),
    erase: (storeId) => call("erase", (server) => server.erase(StoreId.make(storeId))),
    stats: () => run((server) => server.stats)
  }
}
