import type { EventJournal } from "effect/eventlog"
import type { FeedEntry } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Lease } from "../backend/StoreProgress.ts"
import { entryBytes } from "../wire/fields.ts"
import type { Environment } from "./environment.ts"
import type { Run } from "./handlers.ts"
import type { Patiently } from "./outage.ts"
import type { PassedIds } from "./PassedIds.ts"
import type { Turn } from "./turns.ts"

type Entry = EventJournal.Entry

/** What the holder of a store's lease works with, page after page. */
export interface Holding {
  readonly environment: Environment
  readonly storeId: StoreId
  readonly lease: Lease
  readonly turn: Turn
  readonly ids: PassedIds
  readonly patiently: Patiently
  /** Handlers that ran out of time in a transaction, which was undone, by sequence: they don't run again. */
  readonly timedOut: Map<number, Run>
}

/** Bytes that an entry's objects cost besides what they hold. */
const objectBytes = 512

/**
 * Entries to process, in parts: those whose conflicts are known at the same time. Whoever works on a page refers to what is
 * in it through the page alone, so that it can be let go of while a handler runs.
 */
export class Page {
  #entries: ReadonlyArray<FeedEntry>
  #conflicts: ReadonlyArray<ReadonlyArray<Entry>> = []
  #start = 0
  /** The sequence of the last entry whose handler ran, or that of the entry before the page. */
  reached: number

  constructor(entries: ReadonlyArray<FeedEntry>) {
    this.#entries = entries
    this.reached = (entries[0]?.remoteSequence ?? 1) - 1
  }

  get entries(): ReadonlyArray<FeedEntry> {
    return this.#entries
  }

  /** The place of the part's first entry in the page. */
  get start(): number {
    return this.#start
  }

  /** The place behind the part's last entry. */
  get end(): number {
    return this.#start + this.#conflicts.length
  }

  /** Whether there are entries behind the part. */
  get hasMore(): boolean {
    return this.end < this.#entries.length
  }

  /** Begins the next part, which has as many entries as conflicts are given of. */
  beginPart(conflicts: ReadonlyArray<ReadonlyArray<Entry>>): void {
    this.#start = this.end
    this.#conflicts = conflicts
  }

  /** Forgets the part's conflicts: those of the next one are to take their place, not to come on top of them. */
  endPart(): void {
    if (this.#entries.length === 0) return
    this.#start = this.end
    this.#conflicts = []
  }

  /** The conflicts of an entry of the part, by its place in the page. */
  conflictsAt(index: number): ReadonlyArray<Entry> {
    return this.#conflicts[index - this.#start] ?? []
  }

  /** What the page makes the process hold, in bytes with what the objects cost. */
  bytes(): number {
    let bytes = 0
    for (const { entry } of this.#entries) bytes += objectBytes + entryBytes(entry)
    for (const entry of new Set(this.#conflicts.flat())) bytes += objectBytes + entryBytes(entry)
    return bytes
  }

  /** Lets go of everything that didn't begin: the page then has no entries, and who goes on has to read them again. */
  letGo(): void {
    this.#entries = []
    this.#conflicts = []
  }
}
