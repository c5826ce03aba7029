import type { Exit } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { Author } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { RequestError } from "../wire/errors.ts"
import type { AppendError } from "./appendQueue.ts"

/** Entries for one store, written together: all or nothing. They were checked already (`checkEntries`). */
export interface WriteRequest {
  readonly storeId: StoreId
  readonly entries: ReadonlyArray<EventJournal.Entry>
  readonly author: Author
  /** Keeps the entries away from handlers, reactivity and conflicts. */
  readonly transportOnly: boolean
  /**
   * Whether it may be committed in parts, one after the other, where it is more than an append may hold. When a part fails,
   * those before it stay, and a repeat finds them again. @default false
   */
  readonly isDivisible?: boolean | undefined
}

/** What a write did. */
export interface Written {
  /** One sequence for each entry, in input order; 0 for a compaction's replacement, which isn't stored. */
  readonly sequenceNumbers: ReadonlyArray<number>
  /** Those that the store did not have before, in sequence order. */
  readonly committed: ReadonlyArray<{ readonly remoteSequence: number; readonly entry: EventJournal.Entry }>
}

/** Why a write failed. Nothing of it was stored, or what was stored is found again by a retry. */
export type WriteError = AppendError | RequestError

/** Queues a write, and calls `complete` once. See `Ingest`. */
export type Submit = (request: WriteRequest, complete: (exit: Exit.Exit<Written, WriteError>) => void) => void
