import { EventJournal } from "effect/eventlog"
import { copyEntries } from "../backend/copyEntries.ts"
import type {
  Appended,
  FeedEntry,
  FeedHead,
  FeedPage,
  FeedRecord,
  KnownEntry,
  ReadOptions
} from "../backend/FeedStore.ts"
import { entryBytes } from "../wire/fields.ts"
import { BucketIndex } from "./BucketIndex.ts"

/** The feed of one store. Every method is synchronous, which makes it atomic. */
export class MemoryFeed {
  readonly buckets = new BucketIndex()
  readonly #entries: Array<FeedEntry> = []
  readonly #sizes: Array<number> = []
  readonly #sequences = new Map<string, number>()

  #greatestId: EventJournal.EntryId | undefined

  get end(): number {
    return this.#entries.length
  }

  /** The head; its id is the caller's own. */
  get head(): FeedHead {
    return { sequence: this.end, greatestId: this.#greatestId?.slice() as EventJournal.EntryId | undefined }
  }

  /** Whether an entry is where it was. */
  holds({ id, sequence }: KnownEntry): boolean {
    const entry = this.#entries[sequence - 1]
    return entry !== undefined && EventJournal.EntryIdOrder(entry.entry.id, id as EventJournal.EntryId) === 0
  }

  append(records: ReadonlyArray<FeedRecord>): ReadonlyArray<Appended> {
    const fresh: Array<FeedEntry> = []
    const appended = records.map((record): Appended => {
      const id = record.entry.idString
      const known = this.#sequences.get(id)
      if (known !== undefined) return { sequence: known, isNew: false }
      const remoteSequence = this.end + fresh.length + 1
      this.#sequences.set(id, remoteSequence)
      fresh.push({ ...record, remoteSequence })
      return { sequence: remoteSequence, isNew: true }
    })
    for (const entry of copyEntries(fresh)) {
      this.#entries.push(entry)
      this.#sizes.push(entryBytes(entry.entry))
      this.buckets.add(entry)
      const { id } = entry.entry
      if (this.#greatestId === undefined || EventJournal.EntryIdOrder(this.#greatestId, id) < 0) this.#greatestId = id
    }
    return appended
  }

  /** The sequence of the first entry whose id is greater; the one behind the head where none is. */
  firstAfter(id: Uint8Array): number {
    const isGreater = (other: EventJournal.EntryId): boolean =>
      EventJournal.EntryIdOrder(other, id as EventJournal.EntryId) > 0
    if (this.#greatestId === undefined || !isGreater(this.#greatestId)) return this.end + 1
    return this.#entries.findIndex(({ entry }) => isGreater(entry.id)) + 1
  }

  /** The page that begins at a sequence. A reader that borrows gets the very entries: to copy them costs more than to encode them. */
  page(from: number, { borrows, ...limits }: ReadOptions): FeedPage {
    const found: Array<FeedEntry> = []
    let bytes = 0
    for (let index = from - 1; index < this.end && found.length < limits.maxEntries; index++) {
      bytes += this.#sizes[index]!
      if (found.length > 0 && bytes > limits.maxBytes) break
      found.push(this.#entries[index]!)
    }
    return { entries: borrows ? found : copyEntries(found), head: this.end }
  }
}
