import type { Effect } from "effect"
import type { FeedEntry } from "../backend/FeedStore.ts"
import type { FeedLostError, StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Page } from "./page.ts"

/** The part of a feed that was there when a subscription began. */
export interface HistoryRequest {
  readonly storeId: StoreId
  /** The first sequence that the subscriber lacks. */
  readonly from: number
  /** The last sequence when the subscription was opened. */
  readonly head: number
  /** The entries that it begins with, as many as were read to open the subscription; none where that went on. To be looked at, and handed to nobody. */
  readonly first: ReadonlyArray<FeedEntry>
  /** See `Sink.keepsSequencesWhole`. */
  readonly keepsSequencesWhole: boolean
}

/**
 * Emits the history of a feed as subscribers get it, which need not be as it is stored, and answers the sequence from
 * which the stored entries go on: `from` when it has nothing to say about this feed. A failure in the middle is followed
 * by another call, from after the last page that was emitted.
 */
export type History = (
  request: HistoryRequest,
  emit: (page: Page) => Effect.Effect<void>
) => Effect.Effect<number, StorageError | StoreErasedError | FeedLostError>
