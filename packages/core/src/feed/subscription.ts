import { Effect } from "effect"
import type { FeedPage, FeedStore, PageLimits } from "../backend/FeedStore.ts"
import type { StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { History } from "./history.ts"
import { retryOutage } from "./outage.ts"
import { Page } from "./page.ts"
import type { Sink } from "./sink.ts"
import type { Left, Rider, Tail } from "./tail.ts"

/** What a subscription needs of its store. */
export interface Source {
  readonly storeId: StoreId
  readonly store: FeedStore["Service"]
  readonly limits: PageLimits
  /** What is sent in place of the stored history, if anything is. */
  readonly history: History | undefined
  /** The tail of the store, followed from `next` on if nobody rides it yet. */
  readonly tail: (next: number) => Tail
}

/**
 * Delivers a store's feed to a sink for as long as it runs: the history, then pages of what came meanwhile, then it rides
 * the live tail; whenever the sink is full it goes back to paging. It fails only when the store is erased.
 *
 * @param first a page that was read already and begins at `next`
 */
export const deliver = (
  source: Source,
  sink: Sink,
  next: number,
  first: FeedPage
): Effect.Effect<never, StoreErasedError> => {
  const cursor = { next }
  // In two steps, since what runs for long must not hold the page that it began with.
  return Effect.flatMap(begin(source, sink, cursor, first), (head) => follow(source, sink, cursor, head))
}

/** Delivers what was there when the subscription was opened, and answers the head that it reached. */
const begin = Effect.fnUntraced(function* (
  source: Source,
  sink: Sink,
  cursor: { next: number },
  first: FeedPage
): Effect.fn.Return<number, StoreErasedError> {
  const { next } = cursor
  if (source.history !== undefined && next <= first.head) {
    cursor.next = yield* projectHistory({ history: source.history, storeId: source.storeId }, sink, cursor, first.head)
  }
  return yield* pageThrough(source, sink, cursor, cursor.next === next ? first : undefined)
})

/** Delivers what comes, from the head that was reached. */
const follow = Effect.fnUntraced(function* (
  source: Source,
  sink: Sink,
  cursor: { next: number },
  reached: number
): Effect.fn.Return<never, StoreErasedError> {
  let head = reached
  while (true) {
    sink.caughtUp(head)
    yield* ride(source, sink, cursor)
    head = yield* pageThrough(source, sink, cursor, undefined)
  }
})

/** Delivers the history in the form that subscribers get, and answers where the stored entries go on. */
const projectHistory = (
  { history, storeId }: { readonly history: History; readonly storeId: StoreId },
  sink: Sink,
  cursor: { next: number },
  head: number
): Effect.Effect<number, StoreErasedError> =>
  Effect.suspend(() =>
    history({ storeId, from: cursor.next, head, keepsSequencesWhole: sink.keepsSequencesWhole === true }, (page) =>
      hand(sink, cursor, page)
    )
  ).pipe(retryOutage("Reading a history", storeId))

/** Delivers a page once the sink has room, and moves the cursor past it. */
const hand = (sink: Sink, cursor: { next: number }, page: Page): Effect.Effect<void> =>
  Effect.suspend(() => (sink.ready() ? Effect.void : sink.drained)).pipe(
    Effect.andThen(
      Effect.sync(() => {
        sink.deliver(page, 0)
        cursor.next = Math.max(cursor.next, page.last + 1)
      })
    )
  )

/** Delivers pages until the cursor is past the head, and answers that head. */
const pageThrough = Effect.fnUntraced(function* (
  source: Source,
  sink: Sink,
  cursor: { next: number },
  first: FeedPage | undefined
): Effect.fn.Return<number, StoreErasedError> {
  let page = first
  while (true) {
    if (!sink.ready()) yield* sink.drained
    page ??= yield* source.store
      .read(source.storeId, cursor.next, source.limits)
      .pipe(retryOutage("Reading a feed", source.storeId))
    if (page.entries.length > 0) yield* hand(sink, cursor, new Page(page.entries))
    if (page.entries.length === 0 || cursor.next > page.head) return page.head
    page = undefined
  }
})

/** Rides the tail until the sink is full, or returns at once when the tail is already further. */
const ride = (source: Source, sink: Sink, cursor: { next: number }): Effect.Effect<void, StoreErasedError> =>
  Effect.callback<void, StoreErasedError>((resume) => {
    const tail = source.tail(cursor.next)
    const rider: Rider = {
      next: cursor.next,
      sink,
      left: (why: Left) => {
        cursor.next = rider.next
        resume(why === "Slow" ? Effect.void : Effect.fail(why))
      }
    }
    if (!tail.join(rider)) return resume(Effect.void)
    return Effect.sync(() => tail.leave(rider))
  })
