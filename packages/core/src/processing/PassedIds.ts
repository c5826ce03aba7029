import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import type { FeedEntry, FeedStore } from "../backend/FeedStore.ts"
import type { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"

type EntryId = EventJournal.EntryId

const greaterOf = (a: EntryId | undefined, b: EntryId | undefined): EntryId | undefined =>
  a === undefined || (b !== undefined && EventJournal.EntryIdOrder(a, b) < 0) ? b : a

/**
 * The ids below the page that is processed next, page after page of one store. Ids begin with a time, so most entries have
 * greater ids than everything before them: those have no conflicts there, and none have to be looked for.
 */
export class PassedIds {
  private readonly feeds: FeedStore["Service"]
  private readonly storeId: StoreId
  private isKnown = false
  private passed: EntryId | undefined

  constructor(feeds: FeedStore["Service"], storeId: StoreId) {
    this.feeds = feeds
    this.storeId = storeId
  }

  /**
   * An id that no entry below the next page exceeds; `undefined` while none is known. It is asked for before the second
   * page, since there often is only one, and from then on kept by `pass`.
   */
  get greatest(): Effect.Effect<EntryId | undefined, StorageError> {
    return Effect.suspend(() => {
      if (this.isKnown || this.passed === undefined) return Effect.succeed(this.passed)
      return Effect.map(this.feeds.greatestId(this.storeId), (id) => {
        this.isKnown = true
        this.passed = greaterOf(this.passed, id)
        return this.passed
      })
    })
  }

  /** The entries of a page lie below the next one. */
  pass(entries: ReadonlyArray<FeedEntry>): void {
    for (const { entry } of entries) this.passed = greaterOf(this.passed, entry.id)
  }
}
