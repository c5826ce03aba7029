import { Context, Effect, Layer, type Scope } from "effect"
import { EventLog } from "effect/eventlog"

/** What effect's compactions register: `EventLog.groupCompaction`, `EventRow.compaction` and the like. */
export type RegisteredCompactor = Parameters<EventLog.Registry["Service"]["registerCompaction"]>[0]

/**
 * What a layer of effect's registers in a registry that is its own. Dies where that is nothing, or handlers: who hands in such
 * a layer expects something of it that won't happen.
 */
export const registeredBy = <R>(
  layer: Layer.Layer<never, never, R>
): Effect.Effect<ReadonlyArray<RegisteredCompactor>, never, Scope.Scope | Exclude<R, EventLog.Registry>> =>
  Effect.gen(function* () {
    const registered: Array<RegisteredCompactor> = []
    const registry = Context.get(yield* Layer.build(Layer.fresh(EventLog.layerRegistry)), EventLog.Registry)
    const noting: EventLog.Registry["Service"] = {
      ...registry,
      registerCompaction: (compactor) => Effect.sync(() => void registered.push(compactor))
    }
    yield* Layer.build(Layer.provide(layer, Layer.succeed(EventLog.Registry, noting)))
    if (registered.length === 0 || registry.handlers.size > 0) {
      return yield* Effect.die(
        new Error(
          "effectCompaction takes what EventRow.compaction or EventLog.groupCompaction returns, and nothing else"
        )
      )
    }
    return registered
  })
