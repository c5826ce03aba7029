import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"

/** An entry of a server that this device holds and hasn't applied. */
export interface QuarantinedEntry {
  readonly entry: EventJournal.Entry
  /** Where it stands in the store's feed. */
  readonly sequence: number
  /**
   * `UnknownEvent`: the app has no handler of that event. `Undecodable`: the payload isn't what the event's schema
   * describes. `HandlerFailed`: the handler threw, died or failed. `Behind`: an earlier entry of the same primary key is
   * set aside, and the order of that key is kept.
   */
  readonly reason: "UnknownEvent" | "Undecodable" | "HandlerFailed" | "Behind"
  /** What went wrong, for people; at most 500 characters. */
  readonly message: string
  /** When it was set aside for this reason, in milliseconds since the epoch. */
  readonly since: number
}

/** All that is set aside, and a number that is another one after each change. */
export interface QuarantineContent {
  readonly revision: number
  readonly entries: ReadonlyArray<QuarantinedEntry>
}

/** What is set aside anew, or again, and what was applied. */
export interface QuarantineChange {
  readonly put: ReadonlyArray<QuarantinedEntry>
  readonly remove: ReadonlyArray<EventJournal.Entry>
}

/** Where a quarantine is kept. It holds at most what the journal beside it holds. */
export interface QuarantineStorage {
  /** The content; `undefined` when that is still the one of revision `known`. */
  readonly read: (
    known: number | undefined
  ) => Effect.Effect<QuarantineContent | undefined, EventJournal.EventJournalError>
  /** Makes all of a change, or nothing of it; durable when it succeeds. An entry that is there is replaced. */
  readonly change: (change: QuarantineChange) => Effect.Effect<void, EventJournal.EventJournalError>
  /** Calls `listener` when another tab made a change, where there are others, until the returned function is called. */
  readonly onForeignChange?: ((listener: () => void) => () => void) | undefined
}

/** A quarantine in memory, for a journal in memory. It lasts as long as this value. */
export const memoryQuarantine = (): QuarantineStorage => {
  const entries = new Map<string, QuarantinedEntry>()
  let revision = 0
  return {
    read: (known) =>
      Effect.sync(() => (known === revision ? undefined : { revision, entries: Array.from(entries.values()) })),
    change: ({ put, remove }) =>
      Effect.sync(() => {
        for (const entry of remove) entries.delete(entry.idString)
        for (const record of put) entries.set(record.entry.idString, record)
        revision++
      })
  }
}
