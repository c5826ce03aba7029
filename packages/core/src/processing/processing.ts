import { Context, Deferred, Effect, Layer, Schedule } from "effect"
import { EventLog } from "effect/eventlog"
import { Reactivity } from "effect/reactivity"
import { FeedAdmin } from "../backend/FeedAdmin.ts"
import { FeedStore } from "../backend/FeedStore.ts"
import type { StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { StoreProgress } from "../backend/StoreProgress.ts"
import { makeArrivals } from "./arrivals.ts"
import type { Environment } from "./environment.ts"
import { makeHandlers } from "./handlers.ts"
import { makeLogQuota } from "./logQuota.ts"
import { type ProcessingOptions, resolveProcessingOptions } from "./options.ts"
import { awaitProcessed } from "./processed.ts"
import { makeStoppedStores, type ProcessingStoppedError } from "./stoppedStores.ts"
import { sweep } from "./sweep.ts"
import { makeTurns } from "./turns.ts"
import { makeWorkers } from "./workers.ts"

/** What processing did on this node since it started, and does now. */
export interface ProcessingStats {
  /** Stores that are being processed, wait for their turn or for another node, or whose lease is kept. */
  readonly stores: number
  /** Entries passed, whatever became of them. */
  readonly processed: number
  readonly handlerFailures: number
  /** Stores whose processing stopped, since their feed went backwards. */
  readonly stopped: number
}

/**
 * Brings committed entries to their handlers, in sequence order per store, on one node at a time. It is a cursor over the
 * feed: a commit only says when to look.
 */
export class Processing extends Context.Service<
  Processing,
  {
    /** Says that entries were committed to a store. Cheap, and never late: the same may be said often. */
    readonly notify: (storeId: StoreId) => void
    /**
     * Waits until everything up to `sequence` was processed, on whichever node; a failed handler counts. Fails
     * `ProcessingStoppedError` where this node knows that it won't happen; interrupted when processing closes.
     */
    readonly processed: (
      storeId: StoreId,
      sequence: number
    ) => Effect.Effect<void, StorageError | StoreErasedError | ProcessingStoppedError>
    readonly stats: () => ProcessingStats
  }
>()("@eventlog-server/core/Processing") {}

const make = Effect.fnUntraced(function* (given: ProcessingOptions) {
  const options = resolveProcessingOptions(given)
  const abandon = Deferred.makeUnsafe<void>()
  const closing = Deferred.makeUnsafe<void>()
  const handlers = makeHandlers({
    registry: yield* EventLog.Registry,
    reactivity: yield* Reactivity.Reactivity,
    handlerTimeout: options.handlerTimeout,
    abandon,
    onHandlerFailure: options.onHandlerFailure,
    quota: yield* makeLogQuota("failures of handlers")
  })
  const environment: Environment = {
    feeds: yield* FeedStore,
    progress: yield* StoreProgress,
    handlers,
    options,
    turns: makeTurns(options.maxStores, options.maxPausedBytes),
    arrivals: makeArrivals(),
    stopped: makeStoppedStores(options.onFeedMismatch),
    counts: { processed: 0 }
  }
  const workers = yield* makeWorkers(environment)
  yield* Effect.addFinalizer(() =>
    Deferred.succeed(closing, undefined).pipe(
      Effect.andThen(workers.stop(options.shutdownTimeout)),
      Effect.andThen(Deferred.succeed(abandon, undefined)),
      // What is left has to give its lease back, which the backend may delay.
      Effect.andThen(workers.stop(options.shutdownTimeout))
    )
  )

  const notify = (storeId: StoreId): void => {
    if (environment.stopped.get(storeId) === undefined) workers.look(storeId, { lingers: true })
  }
  yield* sweep(environment, yield* FeedAdmin, (storeId) => workers.look(storeId, { lingers: false })).pipe(
    Effect.catchCause((cause) => Effect.logError("The sweep failed unexpectedly", cause)),
    Effect.repeat(Schedule.jittered(Schedule.spaced(options.sweepInterval))),
    Effect.forkScoped
  )

  return Processing.of({
    notify,
    processed: (storeId, sequence) =>
      Effect.raceFirst(
        awaitProcessed(
          environment,
          storeId,
          sequence,
          Effect.sync(() => notify(storeId))
        ),
        Effect.andThen(Deferred.await(closing), Effect.interrupt)
      ),
    stats: () => ({
      stores: workers.size(),
      processed: environment.counts.processed,
      handlerFailures: handlers.failures(),
      stopped: environment.stopped.size()
    })
  })
})

/** Processing with the registered handlers, until the scope closes: then running handlers may end, leases are given back. */
export const layerProcessing = (
  options: ProcessingOptions = {}
): Layer.Layer<Processing, never, FeedStore | FeedAdmin | StoreProgress | EventLog.Registry | Reactivity.Reactivity> =>
  Layer.effect(Processing, make(options))
