import { type Duration, Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { Compactor } from "./compactors.ts"
import type { RegisteredCompactor } from "./registered.ts"

/**
 * A compactor of effect's as one of ours. It is run as over the history of a remote, which is what ours compact: it may only
 * drop entries, and all are kept where it wrote one of its own. Throws where it didn't opt into that (`remote: true`): one
 * that adds entries up is right for those that a device is just receiving, and wrong for a device that holds some already.
 */
export const asCompactor = ({ effect, events, remote }: RegisteredCompactor, olderThan: Duration.Input): Compactor => {
  if (remote !== true) {
    throw new Error(
      `effectCompaction: the compaction of ${events.join(", ")} was made for what a device is receiving, not for histories. ` +
        "Give it { remote: true } if what it keeps depends on nothing but which entries there are"
    )
  }
  return {
    events,
    olderThan,
    effect: ({ entries, forward }) =>
      Effect.gen(function* () {
        const kept = new Set<EventJournal.Entry>()
        yield* effect({ entries, remote: true, write: (entry) => Effect.sync(() => void kept.add(entry)) })
        const known = entries.filter((entry) => kept.delete(entry))
        yield* Effect.forEach(kept.size === 0 ? known : entries, forward, { discard: true })
      })
  }
}
