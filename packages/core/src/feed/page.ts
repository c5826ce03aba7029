import type { FeedEntry } from "../backend/FeedStore.ts"
import { entryBytes } from "../wire/fields.ts"

/** Turns the entries of a page into what a protocol sends for them. */
export type PageEncoder<A> = (entries: ReadonlyArray<FeedEntry>) => A

/**
 * Consecutive entries of a feed on their way to subscribers. Whatever a protocol makes of an entry is made once per
 * page, however many subscribers get it.
 */
export class Page {
  /** They may be those that the backend holds, and belong to all who get the page: to be read, and not handed on. */
  readonly entries: ReadonlyArray<FeedEntry>
  /** The sequence of the first entry. */
  readonly first: number
  /** The sequence of the last entry. */
  readonly last: number
  /** Bytes of payload, event name and primary key of all entries, as `PageLimits.maxBytes` counts them. */
  readonly bytes: number
  private readonly encodings = new Map<PageEncoder<unknown>, unknown>()

  /** @param entries at least one */
  constructor(entries: ReadonlyArray<FeedEntry>) {
    this.entries = entries
    this.first = entries[0]!.remoteSequence
    this.last = entries[entries.length - 1]!.remoteSequence
    this.bytes = entries.reduce((sum, { entry }) => sum + entryBytes(entry), 0)
  }

  /** The entries as `encoder` writes them: the same value for every caller with that encoder. */
  encoded<A>(encoder: PageEncoder<A>): A {
    let encoding = this.encodings.get(encoder) as A | undefined
    if (encoding === undefined) {
      encoding = encoder(this.entries)
      this.encodings.set(encoder, encoding)
    }
    return encoding
  }

  /** The same of the entries from an index on. */
  bytesFrom(index: number): number {
    return index === 0 ? this.bytes : this.entries.slice(index).reduce((sum, { entry }) => sum + entryBytes(entry), 0)
  }

  /** The index of the first entry whose sequence is at least `sequence`. */
  indexOf(sequence: number): number {
    if (sequence <= this.first) return 0
    const index = this.entries.findIndex((entry) => entry.remoteSequence >= sequence)
    return index === -1 ? this.entries.length : index
  }
}
