import { EventJournal } from "effect/eventlog"
import type { Appended, FeedEntry, FeedPage, FeedRecord, PageLimits, Sieve } from "../ports/FeedStore.ts"
import { entryBytes } from "../protocol/limits.ts"
import { BucketIndex } from "./BucketIndex.ts"

/** Entries that a page looks at, so that a sieve which leaves out everything doesn't hold up everybody: some milliseconds. */
const maxLooks = 50_000

/** The feed of one store. Every method is synchronous, which makes it atomic. */
export class MemoryFeed {
  readonly buckets = new BucketIndex()
  readonly #entries: Array<FeedEntry> = []
  readonly #sizes: Array<number> = []
  readonly #sequences = new Map<string, number>()

  get head(): number {
    return this.#entries.length
  }

  append(record: FeedRecord): Appended {
    const known = this.#sequences.get(record.entry.idString)
    if (known !== undefined) return { sequence: known, isNew: false }
    const entry = copyOf({ ...record, remoteSequence: this.head + 1 })
    this.#entries.push(entry)
    this.#sizes.push(entryBytes(entry.entry))
    this.#sequences.set(record.entry.idString, entry.remoteSequence)
    this.buckets.add(entry)
    return { sequence: entry.remoteSequence, isNew: true }
  }

  page(from: number, limits: PageLimits, sieve?: Sieve): FeedPage {
    const entries: Array<FeedEntry> = []
    let bytes = 0
    let index = from - 1
    for (
      const end = Math.min(this.head, index + maxLooks);
      index < end && entries.length < limits.maxEntries;
      index++
    ) {
      const entry = this.#entries[index]!
      if (sieve !== undefined && !sieve(entry)) continue
      bytes += this.#sizes[index]!
      if (entries.length > 0 && bytes > limits.maxBytes) break
      entries.push(copyOf(entry))
    }
    return sieve === undefined ? { entries, head: this.head } : { entries, head: this.head, through: index }
  }
}

/** An entry whose bytes nobody else holds; id and payload share an allocation, which costs more than the copying. */
export const copyOf = ({ author, entry, remoteSequence, transportOnly }: FeedEntry): FeedEntry => {
  const { event, id, payload, primaryKey } = entry
  const bytes = new Uint8Array(id.byteLength + payload.byteLength)
  bytes.set(id)
  bytes.set(payload, id.byteLength)
  return {
    remoteSequence,
    author,
    transportOnly,
    entry: new EventJournal.Entry(
      {
        id: bytes.subarray(0, id.byteLength) as EventJournal.EntryId,
        event,
        primaryKey,
        payload: bytes.subarray(id.byteLength)
      },
      { disableChecks: true }
    )
  }
}
