import { EventJournal } from "effect/eventlog"
import type { Appended, FeedEntry, FeedPage, FeedRecord, PageLimits, Sieve } from "../backend/FeedStore.ts"
import { entryBytes } from "../wire/fields.ts"
import { BucketIndex } from "./BucketIndex.ts"

/** Entries that a page looks at, so that a sieve which leaves out everything doesn't hold up everybody: some milliseconds. */
const maxLooks = 50_000

/** The feed of one store. Every method is synchronous, which makes it atomic. */
export class MemoryFeed {
  readonly buckets = new BucketIndex()
  readonly #entries: Array<FeedEntry> = []
  readonly #sizes: Array<number> = []
  readonly #sequences = new Map<string, number>()

  #greatestId: EventJournal.EntryId | undefined

  get head(): number {
    return this.#entries.length
  }

  /** The greatest id of all entries, as the caller's own. */
  get greatestId(): EventJournal.EntryId | undefined {
    return this.#greatestId?.slice() as EventJournal.EntryId | undefined
  }

  append(records: ReadonlyArray<FeedRecord>): ReadonlyArray<Appended> {
    const fresh: Array<FeedEntry> = []
    const appended = records.map((record): Appended => {
      const id = record.entry.idString
      const known = this.#sequences.get(id)
      if (known !== undefined) return { sequence: known, isNew: false }
      const remoteSequence = this.head + fresh.length + 1
      this.#sequences.set(id, remoteSequence)
      fresh.push({ ...record, remoteSequence })
      return { sequence: remoteSequence, isNew: true }
    })
    for (const entry of copiesOf(fresh)) {
      this.#entries.push(entry)
      this.#sizes.push(entryBytes(entry.entry))
      this.buckets.add(entry)
      const { id } = entry.entry
      if (this.#greatestId === undefined || EventJournal.EntryIdOrder(this.#greatestId, id) < 0) this.#greatestId = id
    }
    return appended
  }

  page(from: number, limits: PageLimits, sieve?: Sieve): FeedPage {
    const found: Array<FeedEntry> = []
    let bytes = 0
    let index = from - 1
    for (const end = Math.min(this.head, index + maxLooks); index < end && found.length < limits.maxEntries; index++) {
      const entry = this.#entries[index]!
      if (sieve !== undefined && !sieve(entry)) continue
      bytes += this.#sizes[index]!
      if (found.length > 0 && bytes > limits.maxBytes) break
      found.push(entry)
    }
    const entries = copiesOf(found)
    return sieve === undefined ? { entries, head: this.head } : { entries, head: this.head, through: index }
  }
}

/** Entries whose bytes nobody else holds. All of them share an allocation, which costs more than the copying. */
export const copiesOf = (entries: ReadonlyArray<FeedEntry>): Array<FeedEntry> => {
  if (entries.length === 0) return []
  const size = entries.reduce((sum, { entry }) => sum + entry.id.byteLength + entry.payload.byteLength, 0)
  const bytes = new Uint8Array(size)
  let end = 0
  const copy = (part: Uint8Array): Uint8Array => {
    const start = end
    end += part.byteLength
    bytes.set(part, start)
    return bytes.subarray(start, end)
  }
  return entries.map(({ author, entry: { event, id, payload, primaryKey }, remoteSequence, transportOnly }) => ({
    remoteSequence,
    author,
    transportOnly,
    entry: new EventJournal.Entry(
      { id: copy(id) as EventJournal.EntryId, event, primaryKey, payload: copy(payload) as Uint8Array<ArrayBuffer> },
      { disableChecks: true }
    )
  }))
}
