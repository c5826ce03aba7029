import type { EventJournal } from "effect/eventlog"

/** An entry that was read or acknowledged. */
export interface SeenEntry {
  readonly sequence: number
  readonly id: Uint8Array
  /** The id of the backend at that time, where this node knew it. */
  readonly remoteId: EventJournal.RemoteId | undefined
}

/** Stores that are remembered; those that were not used for longest are forgotten. */
const maxStores = 10_000

/**
 * The last entry of each store that this node knows to be committed.
 *
 * Every append and read asks whether it is still there, by one look at an index. So a node notices when Redis lost
 * entries, also when others have taken their sequences since.
 */
export class SeenEntries {
  readonly #last = new Map<string, SeenEntry>()

  see(storeId: string, entry: SeenEntry): void {
    const last = this.#last.get(storeId)
    this.#last.delete(storeId)
    this.#last.set(storeId, last === undefined || last.sequence < entry.sequence ? copyOf(entry) : last)
    if (this.#last.size > maxStores) this.#last.delete(this.#last.keys().next().value!)
  }

  last(storeId: string): SeenEntry | undefined {
    return this.#last.get(storeId)
  }

  /** Forgets the last entry of a store, and answers it. */
  take(storeId: string): SeenEntry | undefined {
    const last = this.#last.get(storeId)
    this.#last.delete(storeId)
    return last
  }
}

// The id may be a view, and would keep the whole buffer.
const copyOf = (entry: SeenEntry): SeenEntry => ({ ...entry, id: Uint8Array.from(entry.id) })
