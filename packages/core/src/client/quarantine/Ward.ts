import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { QuarantineChange, QuarantinedEntry, QuarantineStorage } from "./QuarantineStorage.ts"

/** What a page can show of a quarantine. A value never changes. */
export interface QuarantineSummary {
  /** How many entries are set aside. */
  readonly count: number
  /** The first of them in feed order, at most 100. */
  readonly entries: ReadonlyArray<QuarantinedEntry>
}

/** The summary of an empty quarantine, and of a client that has none. */
export const nothingQuarantined: QuarantineSummary = { count: 0, entries: [] }

const shown = 100

const byFeed = (a: QuarantinedEntry, b: QuarantinedEntry): number =>
  a.sequence - b.sequence || (a.entry.idString < b.entry.idString ? -1 : 1)

/** Those who are in quarantine, in feed order: what is kept, read again only when it has changed. */
export class Ward {
  readonly #storage: QuarantineStorage
  readonly #listeners = new Set<(summary: QuarantineSummary) => void>()
  #revision: number | undefined
  #entries: ReadonlyMap<string, QuarantinedEntry> = new Map()
  #summary = nothingQuarantined

  constructor(storage: QuarantineStorage) {
    this.#storage = storage
  }

  /** What was read last. The same object until it changes. */
  get summary(): QuarantineSummary {
    return this.#summary
  }

  /** Calls `listener`, which may not throw, with each new summary. Returns a function that ends it. */
  subscribe(listener: (summary: QuarantineSummary) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** All who are in quarantine now, by their id. */
  readonly entries: Effect.Effect<ReadonlyMap<string, QuarantinedEntry>, EventJournal.EventJournalError> =
    Effect.suspend(() => this.#storage.read(this.#revision)).pipe(
      Effect.map((content) => {
        if (content !== undefined) this.#set(content.revision, content.entries)
        return this.#entries
      })
    )

  /** Makes a change durable. */
  change(change: QuarantineChange): Effect.Effect<void, EventJournal.EventJournalError> {
    return change.put.length + change.remove.length === 0
      ? Effect.void
      : Effect.andThen(this.#storage.change(change), Effect.asVoid(this.entries))
  }

  #set(revision: number, entries: ReadonlyArray<QuarantinedEntry>): void {
    const sorted = entries.toSorted(byFeed)
    this.#revision = revision
    this.#entries = new Map(sorted.map((each) => [each.entry.idString, each]))
    if (sorted.length === 0 && this.#summary.count === 0) return
    this.#summary = { count: sorted.length, entries: sorted.slice(0, shown) }
    for (const listener of this.#listeners) listener(this.#summary)
  }
}
