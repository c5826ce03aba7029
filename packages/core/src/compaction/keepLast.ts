import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import type { CompactorInput, LastBy } from "./compactors.ts"

type Entry = EventJournal.Entry

/** Which entry of an event is the last one. */
export interface KeepLastOptions {
  /**
   * `"id"`: the greatest id, for handlers that heed conflicts (a conflict with a greater id wins). `"sequence"`: the one
   * that the feed holds last, for handlers that let the latest delivery win. @default "id"
   */
  readonly by?: LastBy | undefined
}

type KeepLastInput = Pick<CompactorInput, "entries" | "forward">

/** What `keepLast` makes. It says of itself which entries it needs. */
export interface KeepLast {
  (input: KeepLastInput): Effect.Effect<void>
  readonly needsOnlyLastBy: LastBy
}

/**
 * A compactor that keeps the last entry of each event, and drops those that it superseded. It keeps the law for events
 * that say how something is now (renamed, toggled, moved), not for those that add up (incremented, liked).
 */
export const keepLast = ({ by = "id" }: KeepLastOptions = {}): KeepLast => {
  const isLater = by === "sequence" ? () => true : (a: Entry, b: Entry) => EventJournal.EntryIdOrder(a.id, b.id) > 0
  const compact = ({ entries, forward }: KeepLastInput) => {
    const last = new Map<string, Entry>()
    for (const entry of entries) {
      const other = last.get(entry.event)
      if (other === undefined || isLater(entry, other)) last.set(entry.event, entry)
    }
    return Effect.forEach(
      entries.filter((entry) => last.get(entry.event) === entry),
      forward,
      { discard: true }
    )
  }
  return Object.assign(compact, { needsOnlyLastBy: by })
}
