import { Duration, type Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { CompactionGroup, CutoffRequest } from "../backend/StoreProgress.ts"

type Entry = EventJournal.Entry

/** What a compactor is given: the eligible entries of one bucket, in sequence order, and where its output goes. */
export interface CompactorInput {
  /** Entries of the compactor's events with one primary key. */
  readonly entries: ReadonlyArray<Entry>
  /** Puts an entry out. One that equals an input keeps that input's id, any other gets a derived one. */
  readonly write: (entry: Entry) => Effect.Effect<void>
  /** Puts an input out as it is. */
  readonly forward: (entry: Entry) => Effect.Effect<void>
}

/**
 * Compacts old history when it is read: entries of `events` that are older than `olderThan`, a primary key at a time.
 *
 * The law that `effect` must keep: whatever entries a device already holds, its own unsent ones included, the output has
 * the effect of the inputs that the device lacks. Dropping superseded entries of the same event keeps it (`keepLast`);
 * snapshots of a whole state and sums break it.
 */
export interface Compactor {
  readonly events: ReadonlyArray<string>
  readonly olderThan: Duration.Input
  readonly effect: (input: CompactorInput) => Effect.Effect<void>
  /**
   * Says that `effect` makes the same of the last entry of each event alone, the last by id or by sequence, as of all of
   * them. Then it is given those alone, and the others are not even read. @default it is given all of them
   */
  readonly needsOnlyLastBy?: LastBy | undefined
}

/** Which entry of an event is the last one: that with the greatest id, or that with the greatest sequence. */
export type LastBy = "id" | "sequence"

/** The compactors that are registered, in the order of their registration. */
export class Compactors {
  private readonly registered = new Set<Compactor>()

  add(compactor: Compactor): void {
    this.registered.add(compactor)
  }

  remove(compactor: Compactor): void {
    this.registered.delete(compactor)
  }

  /** What they want compacted. */
  requests(): ReadonlyArray<CutoffRequest> {
    return Array.from(this.registered, ({ events, olderThan }) => ({
      events,
      olderThan: Duration.fromInputUnsafe(olderThan)
    }))
  }

  /** The first one that knows every event of a group: a group that none covers whole stays as it is. */
  covering(group: CompactionGroup): Compactor | undefined {
    for (const compactor of this.registered) {
      if (group.events.every((event) => compactor.events.includes(event))) return compactor
    }
    return undefined
  }
}
