import type { EventJournal } from "effect/eventlog"

/** Ids that one key remembers at most. Forgetting costs bandwidth only: the server knows what it has. */
const capacity = 100_000

/**
 * Which entries of a backlog the server has already. effect hands over its whole backlog until all of it went
 * through; this lets the next attempt go on where the last one stood.
 */
export class AckMemory {
  readonly #byKey = new Map<string, Set<string>>()

  /** The entries of a key that aren't known to be done. */
  left(publicKey: string, entries: ReadonlyArray<EventJournal.Entry>): ReadonlyArray<EventJournal.Entry> {
    const done = this.#byKey.get(publicKey)
    return done === undefined ? entries : entries.filter((entry) => !done.has(entry.idString))
  }

  /** These need not be sent again. */
  add(publicKey: string, entries: ReadonlyArray<EventJournal.Entry>): void {
    let done = this.#byKey.get(publicKey)
    if (done === undefined) {
      done = new Set()
      this.#byKey.set(publicKey, done)
    }
    for (const entry of entries) {
      if (done.size >= capacity) return
      done.add(entry.idString)
    }
  }

  /** The journal keeps note of the backlog from here on. */
  clear(publicKey: string): void {
    this.#byKey.delete(publicKey)
  }
}
