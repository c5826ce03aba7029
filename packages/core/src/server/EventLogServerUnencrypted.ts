import { Clock, Context, Effect, Layer, type Queue, type Scope, type Stream } from "effect"
import { type Event, type EventGroup, type EventJournal, EventLog, type EventLogRemote } from "effect/eventlog"
import { Reactivity } from "effect/reactivity"
import { RpcSerialization } from "effect/rpc"
import type { BackendServices } from "../backend/Backend.ts"
import type { EventLogServerAuth } from "../backend/EventLogServerAuth.ts"
import {
  EventLogServerStoreRegistry,
  type EventLogServerStoreRegistryError,
  type KeyMapping,
  type KeysQuery
} from "../backend/EventLogServerStoreRegistry.ts"
import { FeedAdmin } from "../backend/FeedAdmin.ts"
import type { FeedEntry, PageLimits } from "../backend/FeedStore.ts"
import type { FeedLostError, StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { FailuresQuery, KeptFailure } from "../backend/StoreProgress.ts"
import { Compaction, layerCompaction } from "../compaction/compaction.ts"
import type { Compactor } from "../compaction/compactors.ts"
import { Access, type AccessError, layerAccess } from "../connection/access.ts"
import {
  type ConnectionInfo,
  Connections,
  layerConnections,
  type RefusalStatus,
  type Rejected,
  type Selector
} from "../connection/connections.ts"
import type { ProtocolName } from "../connection/protocol.ts"
import { checkPublicKey } from "../connection/publicKey.ts"
import { shuttingDown } from "../connection/refusal.ts"
import { checkStoreId } from "../connection/storeId.ts"
import type { Transport, TransportListener } from "../connection/Transport.ts"
import { Continuity, layerContinuity } from "../continuity/continuity.ts"
import { Feed, layerFeed } from "../feed/feed.ts"
import { Ingest, layerIngest } from "../ingest/ingest.ts"
import type { WriteError, Written } from "../ingest/write.ts"
import { checkOptions } from "../options/index.ts"
import type { RetryQuery } from "../processing/keptFailures.ts"
import { layerProcessing, Processing } from "../processing/processing.ts"
import type { ProcessingStoppedError } from "../processing/stoppedStores.ts"
import { eventLogProtocol } from "../protocols/eventlog/eventLogProtocol.ts"
import { rpcProtocol } from "../protocols/rpc/rpcProtocol.ts"
import type { RequestError } from "../wire/errors.ts"
import type { Limits } from "../wire/limits.ts"
import { askRule } from "./admit.ts"
import type { Endpoint } from "./endpoints.ts"
import { serverExpectations } from "./expectedServerOptions.ts"
import { type Health, healthOf, shareLook } from "./health.ts"
import { ingestClient } from "./ingestClient.ts"
import { type InsideTransactionError, outsideTransactions } from "./insideTransaction.ts"
import { type ResolvedOptions, resolveOptions, type ServerOptions } from "./options.ts"
import { readFeed } from "./readFeed.ts"
import { reprocess } from "./reprocess.ts"
import { requestChanges } from "./requestChanges.ts"
import { eventsOf, type InvalidEventError, makeEntry, type ServerWriteOptions, writeToStore } from "./serverWrite.ts"

/** What a server counted on this node since it started, and what it holds now. */
export interface ServerStats {
  readonly connections: number
  readonly subscriptions: number
  /** What is held for peers, both ways, in bytes with what the objects cost; `maxHeldBytes` bounds it. */
  readonly heldBytes: number
  /** Stores with subscribers on this node. */
  readonly stores: number
  /** Entries committed for the first time. */
  readonly committed: number
  /** Entries that processing passed. */
  readonly replayed: number
  readonly handlerFailures: number
  /** Refused requests by the code of their `Error`. */
  readonly rejected: Rejected
}

/** The place of an entry. */
export interface EntryPlace {
  readonly storeId: StoreId
  readonly sequence: number
}

/**
 * The server. Its members fail with what the domain knows; a backend that is away is a `StorageError`, never a defect.
 */
export class EventLogServerUnencrypted extends Context.Service<
  EventLogServerUnencrypted,
  {
    readonly limits: Limits
    /** The protocols that it is to be served with, and where; see `Mountable.endpoints`. */
    readonly endpoints: ReadonlyArray<Endpoint>
    /**
     * Why a connection may not be opened, to be asked before its upgrade; the app's own rule is asked too. It waits while more
     * connections than `maxUnprovedConnections` would have proved no key.
     */
    readonly admit: (info: ConnectionInfo) => Effect.Effect<RefusalStatus | undefined>
    /**
     * Opens a connection, at once: frames that come before it is greeted wait.
     * @param protocol default `"eventlog"`
     */
    readonly connect: (
      transport: Transport,
      info: ConnectionInfo,
      protocol?: ProtocolName | undefined
    ) => TransportListener
    /** Writes for a client, as a session does: authorize, resolve, append. The key's proof is the caller's business. */
    readonly ingestClient: (options: {
      readonly publicKey: string
      readonly entries: ReadonlyArray<EventJournal.Entry>
    }) => Effect.Effect<Written & { readonly storeId: StoreId }, AccessError | WriteError>
    /** Subscribes a key to its store from `startSequence` (inclusive; 0 is 1), through a bounded queue. */
    readonly requestChanges: (
      publicKey: string,
      startSequence: number
    ) => Effect.Effect<Queue.Dequeue<EventJournal.RemoteEntry, EventLogRemote.EventLogRemoteError>, never, Scope.Scope>
    /** Appends entries that the server authored; nobody is asked whether it may. */
    readonly writeToStore: (
      options: ServerWriteOptions & {
        readonly storeId: StoreId
        readonly entries: ReadonlyArray<EventJournal.Entry>
      }
    ) => Effect.Effect<Written, WriteError | InsideTransactionError>
    /** Appends one event of a schema, typed. */
    readonly write: <Groups extends EventGroup.Any, Tag extends Event.Tag<EventGroup.Events<Groups>>>(
      options: ServerWriteOptions & {
        readonly schema: EventLog.EventLogSchema<Groups>
        readonly storeId: StoreId
        readonly event: Tag
        readonly payload: Event.PayloadWithTag<EventGroup.Events<Groups>, Tag>
      }
    ) => Effect.Effect<Written, WriteError | InvalidEventError | InsideTransactionError>
    /** Registers which reactivity keys an event invalidates, after its handler succeeded. */
    readonly registerReactivity: (
      keys: Record<string, ReadonlyArray<string>>
    ) => Effect.Effect<void, never, Scope.Scope>
    /**
     * Registers a compactor for old history, until the scope closes. The runtime groups what it is given by primary
     * key. It takes effect for subscriptions that begin from now on; see `Compactor` for the law that it must keep.
     */
    readonly registerCompaction: (compactor: Compactor) => Effect.Effect<void, never, Scope.Scope>
    /** See `Processing.processed`: waits until handlers ran for everything up to `sequence`, on whichever node. */
    readonly processed: (options: {
      readonly storeId: StoreId
      readonly sequence: number
    }) => Effect.Effect<void, StorageError | StoreErasedError | ProcessingStoppedError | InsideTransactionError>
    /** Entries that were not handled and are kept: those of a store, or all, in the order of stores and sequences. */
    readonly failures: (query: FailuresQuery) => Effect.Effect<ReadonlyArray<KeptFailure>, StorageError>
    /**
     * Has an entry that failed tried again: soon, in its store's turn, by whichever node holds its lease. The failure is gone
     * when that succeeded, and else counts another attempt. Nothing happens where it isn't kept.
     */
    readonly retryFailure: (which: EntryPlace) => Effect.Effect<void, StorageError | InsideTransactionError>
    /** The same for all that are kept now and that the query names; returns how many. */
    readonly retryFailures: (query: RetryQuery) => Effect.Effect<number, StorageError | InsideTransactionError>
    /** Forgets a failure: its entry will not be handled. */
    readonly discardFailure: (which: EntryPlace) => Effect.Effect<void, StorageError | InsideTransactionError>
    /**
     * Has handlers see entries again, those of a store or of all stores, from `from` on (inclusive; by default the first): in their
     * order, with `isReplay`, while new ones wait behind. Succeeds, with how many stores there are, when that is sure to happen.
     */
    readonly reprocess: (which: {
      readonly storeId?: StoreId | undefined
      readonly from?: number | undefined
    }) => Effect.Effect<number, StorageError | InsideTransactionError>
    /** Committed entries from `from` (inclusive; 0 is 1) up to `to`, by default up to the head. */
    readonly read: (options: {
      readonly storeId: StoreId
      readonly from: number
      readonly to?: number | undefined
    }) => Stream.Stream<FeedEntry, StorageError | StoreErasedError | FeedLostError>
    /** Maps a key to a store; see `EventLogServerStoreRegistry.assign`. A signing key replaces the one bound before. */
    readonly assign: (options: {
      readonly publicKey: string
      readonly storeId: StoreId
      readonly signingPublicKey?: Uint8Array | undefined
    }) => Effect.Effect<void, EventLogServerStoreRegistryError | RequestError>
    /** Ends a key's access: here at once, on other nodes within `reauthorizeInterval`. */
    readonly remove: (publicKey: string) => Effect.Effect<void, EventLogServerStoreRegistryError>
    /** Mapped keys: those of a store, or all, behind the key `after`. */
    readonly keys: (query: KeysQuery) => Effect.Effect<ReadonlyArray<KeyMapping>, EventLogServerStoreRegistryError>
    /** Closes the selected connections of this node and answers how many. They may come back. */
    readonly disconnect: (selector: Selector) => Effect.Effect<number>
    /** Erases a store for good, and ends its subscriptions. */
    readonly erase: (storeId: StoreId) => Effect.Effect<void, StorageError>
    readonly stats: Effect.Effect<ServerStats>
    /**
     * Looks at the storage, for `healthTimeout` at most: whether it answers and has what the server needs. The error says what
     * to do. Where a drain began it fails with the reason `ShuttingDown`.
     */
    readonly ready: Effect.Effect<void, StorageError | RequestError | InsideTransactionError>
    /** The same as an answer, for load balancers. */
    readonly health: Effect.Effect<Health>
    /** Refuses what is new, answers what was accepted, closes every connection with 1012. Closing the scope does too. */
    readonly drain: Effect.Effect<void>
  }
>()("@eventlog-server/core/EventLogServerUnencrypted") {}

const make = (options: ResolvedOptions) =>
  Effect.gen(function* () {
    const access = yield* Access
    const admin = yield* FeedAdmin
    const clock = yield* Clock.Clock
    const compaction = yield* Compaction
    const feed = yield* Feed
    const handlers = yield* EventLog.Registry
    yield* checkCompactors(handlers)
    const ingest = yield* Ingest
    const processing = yield* Processing
    const registry = yield* EventLogServerStoreRegistry
    const connections = yield* Connections
    const continuity = yield* Continuity
    const { limits } = options
    const append = writeToStore(ingest, limits)
    // An append that never ends must not keep the server from ending.
    const drain = Effect.andThen(connections.drain, Effect.timeoutOption(ingest.idle, options.drainTimeout))
    yield* Effect.addFinalizer(() => drain)
    const refuseWhenDraining = Effect.suspend(() =>
      connections.isDraining() ? Effect.fail(shuttingDown()) : Effect.void
    )
    const look = Effect.andThen(outsideTransactions("ready"), yield* shareLook(admin.check, options.healthTimeout))

    return EventLogServerUnencrypted.of({
      limits,
      endpoints: options.endpoints,
      admit: (info) =>
        Effect.suspend(() => {
          const status = connections.refusal(info)
          if (status !== undefined) return Effect.succeed(status)
          return Effect.flatMap(askRule(info, options.admit, options.authTimeout), (refused) =>
            refused === undefined ? connections.admission(info) : Effect.succeed(refused)
          )
        }),
      connect: (transport, info, protocol = "eventlog") => connections.connect(transport, info, protocol),
      ingestClient: ingestClient(access, ingest, limits),
      requestChanges: requestChanges(connections),
      writeToStore: (request) => append(request, clock.currentTimeMillisUnsafe()),
      write: ({ event, payload, runHandlers, schema, storeId }) =>
        Effect.flatMap(makeEntry(eventsOf(schema), event, payload), (entry) =>
          append({ storeId, entries: [entry], runHandlers }, entry.createdAtMillis)
        ),
      registerCompaction: compaction.register,
      registerReactivity: handlers.registerReactivity,
      processed: ({ sequence, storeId }) =>
        Effect.andThen(outsideTransactions("processed"), processing.processed(storeId, sequence)),
      failures: processing.failures.list,
      retryFailure: ({ sequence, storeId }) =>
        Effect.andThen(outsideTransactions("retryFailure"), processing.failures.retry(storeId, sequence)),
      retryFailures: (query) =>
        Effect.andThen(outsideTransactions("retryFailures"), processing.failures.retryAll(query)),
      discardFailure: ({ sequence, storeId }) =>
        Effect.andThen(outsideTransactions("discardFailure"), processing.failures.discard(storeId, sequence)),
      reprocess: (which) => Effect.andThen(outsideTransactions("reprocess"), reprocess(admin, processing, which)),
      read: (request) => readFeed(continuity.view().feeds, pageLimitsOf(limits), request),
      assign: (request) =>
        Effect.gen(function* () {
          yield* checkStoreId(request.storeId)
          const flaw = checkPublicKey(request.publicKey, limits)
          if (flaw !== undefined) return yield* flaw
          yield* registry.assign(request)
          // A connection that proved the key with the signing key of before loses it now rather than at the next check.
          if (request.signingPublicKey !== undefined) yield* connections.recheck(request.publicKey)
        }),
      remove: (publicKey) =>
        Effect.andThen(
          registry.remove(publicKey),
          Effect.sync(() => connections.revoke(publicKey))
        ),
      keys: registry.list,
      disconnect: (selector) => Effect.sync(() => connections.disconnect(selector)),
      erase: admin.erase,
      stats: Effect.sync(() => {
        const { connections: count, heldBytes, rejected, subscriptions } = connections.stats()
        const { handlerFailures, processed } = processing.stats()
        return {
          connections: count,
          subscriptions,
          heldBytes,
          stores: feed.activeStores(),
          committed: ingest.committed(),
          replayed: processed,
          handlerFailures,
          rejected
        }
      }),
      ready: Effect.andThen(refuseWhenDraining, look),
      health: healthOf(look, connections.isDraining),
      drain: Effect.asVoid(drain)
    })
  })

/** A compaction of effect's that came with the handlers would compact what a client of effect's receives: nothing here. */
const checkCompactors = ({ compactors }: EventLog.Registry["Service"]): Effect.Effect<void> =>
  compactors.size === 0
    ? Effect.void
    : Effect.die(
        new Error(
          `A compaction of ${Array.from(compactors.keys()).join(", ")} is among the handlers, where the server would ignore it. ` +
            "Hand it in as compaction: [effectCompaction(…, { olderThan })]"
        )
      )

const pageLimitsOf = (limits: Limits): PageLimits => ({
  maxEntries: limits.maxPageEntries,
  maxBytes: limits.maxPageBytes
})

/** Feeds, appends, handlers and connections, wired: a commit tells processing to look. */
const layerRooms = (options: ResolvedOptions) => {
  const pageLimits = pageLimitsOf(options.limits)
  const processing = layerProcessing(options.processing)
  const compaction = layerCompaction({
    page: pageLimits,
    bucket: { maxEntries: options.limits.maxBucketEntries, maxBytes: options.limits.maxBucketBytes },
    whole: { maxEntries: options.limits.maxRpcBatchEntries, maxBytes: options.limits.maxRpcMessageBytes },
    timeout: options.compactionTimeout,
    minBeginning: 2 * pageLimits.maxEntries
  })
  const feed = Layer.unwrap(Compaction.useSync(({ history }) => layerFeed(pageLimits, history)))
  const ingest = Layer.unwrap(Processing.useSync(({ notify }) => layerIngest(options.limits, notify)))
  const connections = Layer.unwrap(
    RpcSerialization.RpcSerialization.useSync((serialization) =>
      layerConnections(options, { eventlog: eventLogProtocol, rpc: rpcProtocol(serialization) })
    )
  )
  return connections.pipe(
    Layer.provide(RpcSerialization.layerSchemaBinary({ maxFrameSize: options.limits.maxFrameBytes })),
    Layer.provideMerge(Layer.mergeAll(layerAccess(options), feed, ingest)),
    Layer.provideMerge(Layer.merge(processing, compaction)),
    Layer.provideMerge(layerContinuity(options.onFeedLost))
  )
}

/**
 * The server for a schema, from its handlers (`EventLog.group` layers, the same that devices run) and a backend.
 *
 * @example
 * ```ts
 * const server = layer(schema, TodoHandlers, { sessionAuth: "off" }).pipe(
 *   Layer.provide([memoryBackend().layer, layerAuthAllowAll])
 * )
 * ```
 */
export const layer = <Groups extends EventGroup.Any, E, R>(
  _schema: EventLog.EventLogSchema<Groups>,
  handlers: Layer.Layer<EventGroup.ToService<Groups>, E, R>,
  options: ServerOptions = {}
): Layer.Layer<EventLogServerUnencrypted, E, Exclude<R, EventLog.Registry> | BackendServices | EventLogServerAuth> => {
  checkOptions("layer", options, serverExpectations)
  const resolved = resolveOptions(options)
  return Layer.effect(EventLogServerUnencrypted, make(resolved)).pipe(
    Layer.provide(layerRooms(resolved)),
    Layer.provide(handlers),
    // A registry of its own: one shared with a client in the same process would mix their handlers up.
    Layer.provide(Layer.fresh(EventLog.layerRegistry)),
    Layer.provide(Reactivity.layer)
  )
}
