import { Context, Deferred, Effect, Layer, Schedule } from "effect"
import { EventLog } from "effect/eventlog"
import { Reactivity } from "effect/reactivity"
import { FeedStore } from "../backend/FeedStore.ts"
import type { StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { StoreProgress } from "../backend/StoreProgress.ts"
import { makeLogQuota } from "../containment/logQuota.ts"
import { Continuity } from "../continuity/continuity.ts"
import { CursorSaver } from "./cursorSaver.ts"
import { makeFailureReports } from "./failures.ts"
import { makeHandlers } from "./handlers.ts"
import { makeHandlerTime } from "./handlerTime.ts"
import { type KeptFailures, makeKeptFailures } from "./keptFailures.ts"
import type { ResolvedProcessingOptions } from "./options.ts"
import { makePatience } from "./patience.ts"
import { makeStoppedStores, type ProcessingStoppedError } from "./stoppedStores.ts"
import { type Environment, makeStoreLoops } from "./storeLoops.ts"
import { sweep } from "./sweep.ts"
import { makeTurns } from "./turns.ts"
import { awaitProcessed, makeArrivals } from "./waiting.ts"

/** What processing did on this node since it started, and does now. */
export interface ProcessingStats {
  /** Stores that are being processed, wait for their turn or for another node, or whose lease is kept. */
  readonly stores: number
  /** Entries passed, whatever became of them. */
  readonly processed: number
  readonly handlerFailures: number
  /** Stores whose processing stopped, since their feed went backwards or they have too many failures. */
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
    readonly notify: (storeId: StoreId, sequence?: number | undefined) => void
    /**
     * Waits until everything up to `sequence` was processed, on whichever node; a failure that is kept counts. Fails with a
     * `ProcessingStoppedError` where this node knows that it won't happen; interrupted when processing closes.
     */
    readonly processed: (
      storeId: StoreId,
      sequence: number
    ) => Effect.Effect<void, StorageError | StoreErasedError | ProcessingStoppedError>
    readonly stats: () => ProcessingStats
    /** Has handlers see a store's entries again, those behind a sequence; resolves when that is sure to happen. */
    readonly rewind: (storeId: StoreId, to: number) => Effect.Effect<void, StorageError>
    /** What was not handled, and is kept. */
    readonly failures: Omit<KeptFailures, "retryAfterDeploy">
  }
>()("@eventlog-server/core/Processing") {}

const make = Effect.fnUntraced(function* (options: ResolvedProcessingOptions) {
  const closing = Deferred.makeUnsafe<void>()
  const quota = yield* makeLogQuota("failures of handlers")
  const reports = makeFailureReports(options.onHandlerFailure, quota)
  const time = yield* makeHandlerTime(options.handlerTimeout)
  const handlers = yield* makeHandlers({
    registry: yield* EventLog.Registry,
    reactivity: yield* Reactivity.Reactivity,
    handlerTimeout: options.handlerTimeout,
    time,
    ignores: (event) => options.ignoredEvents.has(event),
    quota
  })
  const patiently = makePatience(options.outageRetry)
  const feeds = yield* FeedStore
  const progress = yield* StoreProgress
  const environment: Environment = {
    feeds,
    view: (yield* Continuity).view,
    progress,
    handlers,
    reports,
    options,
    turns: makeTurns(options),
    arrivals: makeArrivals(),
    stopped: makeStoppedStores({ ...options, progress }),
    cursors: new CursorSaver({ context: yield* Effect.context<never>(), patiently }),
    patiently,
    counts: { processed: 0 }
  }
  const loops = yield* makeStoreLoops(environment)
  yield* Effect.addFinalizer(() =>
    Deferred.succeed(closing, undefined).pipe(
      Effect.andThen(loops.stop(options.shutdownTimeout)),
      Effect.andThen(Effect.sync(time.abandon)),
      // What is left has to give its lease back, which the backend may delay.
      Effect.andThen(loops.stop(options.shutdownTimeout))
    )
  )

  const failures = makeKeptFailures({ feeds, progress, handlers, loops })
  yield* patiently(failures.retryAfterDeploy).pipe(
    Effect.catchCause((cause) => Effect.logError("What failed before could not be looked at", cause)),
    Effect.forkScoped
  )
  yield* sweep(environment, loops.look, loops.retry).pipe(
    Effect.catchCause((cause) => Effect.logError("The sweep failed unexpectedly", cause)),
    Effect.repeat(Schedule.jittered(Schedule.spaced(options.sweepInterval))),
    Effect.forkScoped
  )

  return Processing.of({
    notify: loops.notify,
    processed: (storeId, sequence) =>
      Effect.raceFirst(
        awaitProcessed({ ...environment, reached: loops.reached }, storeId, sequence, () => loops.notify(storeId)),
        Effect.andThen(Deferred.await(closing), Effect.interrupt)
      ),
    stats: () => ({
      stores: loops.size(),
      processed: environment.counts.processed,
      handlerFailures: reports.count(),
      stopped: environment.stopped.stops.size
    }),
    // What isn't saved yet would come again as if it were new.
    rewind: (storeId, to) =>
      loops.save(storeId).pipe(
        Effect.andThen(progress.rewind(storeId, to)),
        Effect.map(() => loops.rewind(storeId))
      ),
    failures
  })
})

/** Processing with the registered handlers, until the scope closes: then running handlers may end, leases are given back. */
export const layerProcessing = (
  options: ResolvedProcessingOptions
): Layer.Layer<Processing, never, FeedStore | Continuity | StoreProgress | EventLog.Registry | Reactivity.Reactivity> =>
  Layer.effect(Processing, make(options))
