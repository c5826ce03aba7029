import type { Appended, FeedRecord, KnownEntry } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"

/** Stores that are remembered: some 150 bytes each. Those that were not used for longest are forgotten. */
const maxStores = 50_000

/** The last entry of each store that this node knows to be committed. */
export class KnownEntries {
  readonly #last = new Map<StoreId, KnownEntry>()

  last(storeId: StoreId): KnownEntry | undefined {
    return this.#last.get(storeId)
  }

  /** An entry was read, or its commit returned. */
  see(storeId: StoreId, sequence: number, id: Uint8Array): void {
    const last = this.#last.get(storeId)
    this.#last.delete(storeId)
    // The id may be a view, and would keep the whole buffer.
    this.#last.set(storeId, last === undefined || last.sequence < sequence ? { sequence, id: id.slice() } : last)
    if (this.#last.size > maxStores) this.#last.delete(this.#last.keys().next().value!)
  }

  /** Records were appended, or found where they were before. */
  seeAppended(storeId: StoreId, records: ReadonlyArray<FeedRecord>, slots: ReadonlyArray<Appended>): void {
    let last = 0
    for (const [place, { sequence }] of slots.entries()) if (sequence > slots[last]!.sequence) last = place
    const [slot, record] = [slots[last], records[last]]
    if (slot !== undefined && record !== undefined) this.see(storeId, slot.sequence, record.entry.id)
  }

  forget(storeId: StoreId): void {
    this.#last.delete(storeId)
  }

  forgetAll(): void {
    this.#last.clear()
  }
}
