import type { EventJournal } from "effect/eventlog"
import type { FeedEntry } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"

/** A page and what its handlers need. */
export interface Page {
  readonly storeId: StoreId
  readonly entries: ReadonlyArray<FeedEntry>
  /** The conflicts of each entry, in the page's order. */
  readonly conflicts: ReadonlyArray<ReadonlyArray<EventJournal.Entry>>
}

/** The last sequence of a page. */
export const lastOf = (page: ReadonlyArray<FeedEntry>): number => page[page.length - 1]?.remoteSequence ?? 0
