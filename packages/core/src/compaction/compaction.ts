import { Context, Effect, Layer, type Scope } from "effect"
import { FeedStore } from "../backend/FeedStore.ts"
import { type CompactionGroup, StoreProgress } from "../backend/StoreProgress.ts"
import type { History } from "../feed/history.ts"
import { type Compactor, Compactors } from "./compactors.ts"
import { Projection, type ProjectionLimits } from "./projection.ts"

/**
 * Old history as subscribers get it: a projection that is made when it is read. It never changes the feed, and the same
 * history, cut-offs and compactors give the same output.
 */
export class Compaction extends Context.Service<
  Compaction,
  {
    /** Registers a compactor until the scope closes, for subscriptions that begin from now on. */
    readonly register: (compactor: Compactor) => Effect.Effect<void, never, Scope.Scope>
    readonly history: History
  }
>()("@eventlog-server/core/Compaction") {}

/** The compaction room. */
export const layerCompaction = (limits: ProjectionLimits): Layer.Layer<Compaction, never, FeedStore | StoreProgress> =>
  Layer.effect(
    Compaction,
    Effect.gen(function* () {
      const context = yield* Effect.context()
      const progress = yield* StoreProgress
      const store = yield* FeedStore
      const compactors = new Compactors()
      return Compaction.of({
        register: (compactor) =>
          Effect.acquireRelease(
            Effect.sync(() => compactors.add(compactor)),
            () => Effect.sync(() => compactors.remove(compactor))
          ),
        history: Effect.fn("EventLogServer.compact")(function* (request, emit) {
          // Asked for even without compactors: groups stay in force when a deploy drops what they came from.
          const all = yield* progress.raiseCutoffs(request.storeId, compactors.requests())
          const groups = inForce(all, compactors, request.from)
          if (groups.length === 0) return request.from
          yield* new Projection({ store, compactors, limits, context, request, groups, emit }).run()
          return request.head + 1
        })
      })
    })
  )

/**
 * The groups that a history is compacted by. One that no compactor covers any more is sent as it is to a device that begins:
 * it was promised nothing. A device that was cut off in the middle of its first sync may have been spared entries that come
 * with the last one of their bucket.
 */
export const inForce = (
  groups: ReadonlyArray<CompactionGroup>,
  compactors: Compactors,
  from: number
): ReadonlyArray<CompactionGroup> =>
  from > 1 ? groups : groups.filter((group) => compactors.covering(group) !== undefined)
