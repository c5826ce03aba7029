import { copyEntries } from "../backend/copyEntries.ts"
import type { Appended, FeedEntry, FeedPage, FeedRecord, PageLimits } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { entryBytes } from "../wire/fields.ts"
import { entryCost } from "../wire/limits.ts"

/** What the entries of one store may take, in bytes with what the objects cost. */
const maxStoreBytes = 1024 * 1024

/** What all of them may take together. */
const maxTotalBytes = 16 * 1024 * 1024

/** Entries that follow one another without a gap, the last of them at the end of what this node appended. */
interface Window {
  readonly entries: Array<FeedEntry>
  bytes: number
}

const costOf = ({ entry }: FeedEntry): number => entryCost + entryBytes(entry)

/** Drops a quarter at once: what stays is moved, and would be with each append. */
const dropOldest = (window: Window): void => {
  let dropped = 0
  while (window.bytes > (maxStoreBytes * 3) / 4 && dropped < window.entries.length - 1) {
    window.bytes -= costOf(window.entries[dropped++]!)
  }
  window.entries.splice(0, dropped)
}

const endOf = ({ entries }: Window): number => entries.at(-1)!.remoteSequence

/**
 * What this node just committed, by store: whoever follows a feed here need not read it back. It begins where an append began
 * and holds what followed it without a gap; an append that others came before begins anew. It is only ever a part of a feed:
 * what others appended behind it isn't known here.
 */
export class FreshEntries {
  /** Those that were appended to longest ago come first. */
  readonly #windows = new Map<StoreId, Window>()
  #bytes = 0

  /** Records were committed. */
  add(storeId: StoreId, records: ReadonlyArray<FeedRecord>, slots: ReadonlyArray<Appended>): void {
    const fresh = copyEntries(
      slots.flatMap(({ isNew, sequence }, place) => (isNew ? [{ ...records[place]!, remoteSequence: sequence }] : []))
    )
    const [first] = fresh
    if (first === undefined) return
    // A storage that leaves gaps would make a wrong place of every entry behind one.
    if (fresh.some(({ remoteSequence }, place) => remoteSequence !== first.remoteSequence + place)) {
      return this.forget(storeId)
    }
    const window = this.#windows.get(storeId)
    const follows = window !== undefined && first.remoteSequence === endOf(window) + 1
    if (!follows) this.forget(storeId)
    this.#append(storeId, follows ? window : { entries: [], bytes: 0 }, fresh)
    this.#shrink()
  }

  /** The page that begins at a sequence, as far as it is known here; `undefined` where it isn't. */
  page(storeId: StoreId, from: number, { maxBytes, maxEntries }: PageLimits): FeedPage | undefined {
    const window = this.#windows.get(storeId)
    const first = window?.entries[0]?.remoteSequence
    if (window === undefined || first === undefined || from < first || from > endOf(window)) return undefined
    const entries: Array<FeedEntry> = []
    let bytes = 0
    for (let place = from - first; place < window.entries.length && entries.length < maxEntries; place++) {
      const entry = window.entries[place]!
      bytes += entryBytes(entry.entry)
      if (entries.length > 0 && bytes > maxBytes) break
      entries.push(entry)
    }
    return { entries, head: endOf(window) }
  }

  forget(storeId: StoreId): void {
    this.#bytes -= this.#windows.get(storeId)?.bytes ?? 0
    this.#windows.delete(storeId)
  }

  forgetAll(): void {
    this.#windows.clear()
    this.#bytes = 0
  }

  #append(storeId: StoreId, window: Window, fresh: ReadonlyArray<FeedEntry>): void {
    const before = window.bytes
    for (const entry of fresh) {
      window.entries.push(entry)
      window.bytes += costOf(entry)
    }
    if (window.bytes > maxStoreBytes) dropOldest(window)
    this.#bytes += window.bytes - before
    this.#windows.delete(storeId)
    this.#windows.set(storeId, window)
  }

  #shrink(): void {
    for (const storeId of this.#windows.keys()) {
      if (this.#bytes <= maxTotalBytes) return
      this.forget(storeId)
    }
  }
}
