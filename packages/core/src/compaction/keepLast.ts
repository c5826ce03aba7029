import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import type { CompactorInput } from "./compactors.ts"

type Entry = EventJournal.Entry

/** Which entry of an event is the last one. */
export interface KeepLastOptions {
  /**
   * `"id"`: the greatest id, for handlers that heed conflicts (a conflict with a greater id wins). `"sequence"`: the one
   * that the feed holds last, for handlers that let the latest delivery win. @default "id"
   */
  readonly by?: "id" | "sequence" | undefined
}

/**
 * A compactor that keeps the last entry of each event, and drops those that it superseded. It keeps the law for events
 * that say how something is now (renamed, toggled, moved), not for those that add up (incremented, liked).
 */
export const keepLast = (
  options: KeepLastOptions = {}
): ((input: Pick<CompactorInput, "entries" | "forward">) => Effect.Effect<void>) => {
  const isLater =
    options.by === "sequence" ? () => true : (a: Entry, b: Entry) => EventJournal.EntryIdOrder(a.id, b.id) > 0
  return ({ entries, forward }) => {
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
}
