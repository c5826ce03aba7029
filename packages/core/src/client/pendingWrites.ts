import type { EventJournal } from "effect/eventlog"

/** The ids of local entries that the server hasn't confirmed. */
export class PendingWrites {
  readonly #ids = new Set<string>()
  readonly #changed: (count: number) => void

  /** @param changed told the new count after each change */
  constructor(changed: (count: number) => void) {
    this.#changed = changed
  }

  /** Entries that were written here. */
  add(entries: Iterable<Pick<EventJournal.Entry, "idString">>): void {
    for (const entry of entries) this.#ids.add(entry.idString)
    this.#changed(this.#ids.size)
  }

  /**
   * Entries that need not be sent any more: acked, reported as rejected, or received. The last matters where another
   * tab shares the journal and sends what this one wrote: only the stream tells this one of it.
   */
  settle(entries: Iterable<EventJournal.Entry>): void {
    if (this.#ids.size === 0) return
    for (const entry of entries) this.#ids.delete(entry.idString)
    this.#changed(this.#ids.size)
  }
}
