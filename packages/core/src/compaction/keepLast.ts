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
  /**
   * The event that removes what its primary key stands for. Where it is the last entry of a key, whatever its event, nothing
   * else of the key is kept. @default an entry of each event is kept
   */
  readonly removedBy?: string | undefined
}

type KeepLastInput = Pick<CompactorInput, "entries" | "forward">

/** What `keepLast` makes. It says of itself which entries it needs. */
export interface KeepLast {
  (input: KeepLastInput): Effect.Effect<void>
  readonly needsOnlyLastBy: LastBy
  readonly removedBy: string | undefined
}

/**
 * A compactor that keeps the last entry of each event, and drops those that it superseded. It keeps the law for events
 * that say how something is now (renamed, toggled, moved), not for those that add up (incremented, liked).
 */
export const keepLast = ({ by = "id", removedBy }: KeepLastOptions = {}): KeepLast => {
  const isLater = by === "sequence" ? () => true : (a: Entry, b: Entry) => EventJournal.EntryIdOrder(a.id, b.id) > 0
  const lastOf = (entries: ReadonlyArray<Entry>): Entry =>
    entries.reduce((last, entry) => (isLater(entry, last) ? entry : last))
  const compact = ({ entries, forward }: KeepLastInput) => {
    const last = lastOf(entries)
    if (last.event === removedBy) return forward(last)
    const kept = new Map<string, Entry>()
    for (const entry of entries) {
      const other = kept.get(entry.event)
      if (other === undefined || isLater(entry, other)) kept.set(entry.event, entry)
    }
    return Effect.forEach(
      entries.filter((entry) => kept.get(entry.event) === entry),
      forward,
      { discard: true }
    )
  }
  return Object.assign(compact, { needsOnlyLastBy: by, removedBy })
}
