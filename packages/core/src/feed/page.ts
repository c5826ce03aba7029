import type { FeedEntry } from "../ports/FeedStore.ts"
import { entryBytes } from "../protocol/limits.ts"

/** Turns one committed entry into what a protocol sends for it. */
export type EntryEncoder = (entry: FeedEntry) => Uint8Array

/** Turns the entries of a page into what a protocol sends for them together. */
export type PageEncoder = (entries: ReadonlyArray<FeedEntry>) => ReadonlyArray<Uint8Array>

/**
 * Consecutive entries of a feed on their way to subscribers. Whatever a protocol makes of an entry is made once per
 * page, however many subscribers get it.
 */
export class Page {
  readonly entries: ReadonlyArray<FeedEntry>
  /** The sequence of the first entry. */
  readonly first: number
  /** The sequence of the last entry. */
  readonly last: number
  /** Bytes of payload, event name and primary key of all entries, as `PageLimits.maxBytes` counts them. */
  readonly bytes: number
  private readonly encodings = new Map<EntryEncoder | PageEncoder, ReadonlyArray<Uint8Array>>()

  /** @param entries at least one */
  constructor(entries: ReadonlyArray<FeedEntry>) {
    this.entries = entries
    this.first = entries[0]!.remoteSequence
    this.last = entries[entries.length - 1]!.remoteSequence
    this.bytes = entries.reduce((sum, { entry }) => sum + entryBytes(entry), 0)
  }

  /** The entries as `encoder` writes them: the same array for every caller with that encoder. */
  encoded(encoder: EntryEncoder): ReadonlyArray<Uint8Array> {
    return this.once(encoder, () => this.entries.map(encoder))
  }

  /** The whole page as `encoder` writes it: the same array for every caller with that encoder. */
  encodedWhole(encoder: PageEncoder): ReadonlyArray<Uint8Array> {
    return this.once(encoder, () => encoder(this.entries))
  }

  /** The index of the first entry whose sequence is at least `sequence`. */
  indexOf(sequence: number): number {
    if (sequence <= this.first) return 0
    const index = this.entries.findIndex((entry) => entry.remoteSequence >= sequence)
    return index === -1 ? this.entries.length : index
  }

  private once(
    encoder: EntryEncoder | PageEncoder,
    encode: () => ReadonlyArray<Uint8Array>
  ): ReadonlyArray<Uint8Array> {
    let encoding = this.encodings.get(encoder)
    if (encoding === undefined) {
      encoding = encode()
      this.encodings.set(encoder, encoding)
    }
    return encoding
  }
}
