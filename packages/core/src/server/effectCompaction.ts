import { type Duration, Effect, Layer } from "effect"
import type { EventLog } from "effect/eventlog"
import { asCompactor } from "../compaction/effectCompactor.ts"
import { registeredBy } from "../compaction/registered.ts"
import { EventLogServerUnencrypted } from "./EventLogServerUnencrypted.ts"

/**
 * Compacts old entries by a compaction of effect's when they are read: `EventRow.compaction`, or an `EventLog.groupCompaction`
 * or `groupBatchCompaction` that was given `{ remote: true }`. It only drops entries, and is given those of one primary key at
 * a time. An entry that it can't decode, or that has fields which the schema doesn't know, is kept.
 *
 * The server doesn't start where the layer registers no compaction, or one without `remote: true`.
 *
 * @param options.olderThan how old an entry must be, by the backend's clock
 */
export const effectCompaction = <R>(
  compaction: Layer.Layer<never, never, R>,
  options: { readonly olderThan: Duration.Input }
): Layer.Layer<never, never, EventLogServerUnencrypted | Exclude<R, EventLog.Registry>> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const server = yield* EventLogServerUnencrypted
      for (const registered of yield* registeredBy(compaction)) {
        yield* server.registerCompaction(asCompactor(registered, options.olderThan))
      }
    })
  )
