import { type Duration, Effect, Layer } from "effect"
import type { Event, EventGroup } from "effect/eventlog"
import { type CompactGroup, makeGroupCompactor } from "../compaction/groupCompactor.ts"
import { EventLogServerUnencrypted } from "./EventLogServerUnencrypted.ts"

/**
 * Compacts the old entries of a group's events when they are read, a primary key at a time.
 *
 * `compact` must keep the law that `Compactor` states; `checkCompactionLaw` tests it. Where it fails or dies, or where an
 * entry can't be decoded, the entries are sent unchanged.
 *
 * @param options.olderThan how old an entry must be, by the backend's clock
 */
export const groupCompaction = <Events extends Event.Any, R>(
  group: EventGroup.EventGroup<Events>,
  options: { readonly olderThan: Duration.Input },
  compact: CompactGroup<Events, R>
): Layer.Layer<never, never, EventLogServerUnencrypted | R | Event.PayloadSchema<Events>["DecodingServices"]> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const server = yield* EventLogServerUnencrypted
      const context = yield* Effect.context<R | Event.PayloadSchema<Events>["DecodingServices"]>()
      yield* server.registerCompaction(makeGroupCompactor(group, options.olderThan, compact, context))
    })
  )
