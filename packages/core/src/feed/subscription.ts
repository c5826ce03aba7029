import { Effect } from "effect"
import type { StoreId } from "../backend/StoreId.ts"
import type { FreshPage, HistoryPages, SharedPage } from "./HistoryPages.ts"
import type { History } from "./history.ts"
import { retryOutage } from "./outage.ts"
import type { Page } from "./page.ts"
import type { Sink } from "./sink.ts"
import type { FeedEnd, Left, Rider, Tail } from "./tail.ts"

/** What a subscription needs of its store. */
export interface Source {
  readonly storeId: StoreId
  /** Where pages are read. */
  readonly pages: HistoryPages
  /** What is sent in place of the stored history, if anything is. */
  readonly history: History | undefined
  /** The tail of the store, followed from `next` on if nobody rides it yet. */
  readonly tail: (next: number) => Tail
}

/**
 * Delivers a store's feed to a sink for as long as it runs: the history, then pages of what came meanwhile, then it rides
 * the live tail; whenever the sink is full it goes back to paging. It fails only when the store is erased, or its history is another one.
 *
 * @param first a page that was read already and begins at `next`
 */
export const deliver = (source: Source, sink: Sink, next: number, first: FreshPage): Effect.Effect<never, FeedEnd> => {
  const cursor = { next }
  // In two steps, since what runs for long must not hold the page that it began with.
  const begun = source.pages.reading(source.storeId, begin(source, sink, cursor, first))
  return Effect.flatMap(begun, (head) => follow(source, sink, cursor, head))
}

/** Delivers what was there when the subscription was opened, and answers the head that it reached. */
const begin = Effect.fnUntraced(function* (
  source: Source,
  sink: Sink,
  cursor: { next: number },
  first: FreshPage
): Effect.fn.Return<number, FeedEnd> {
  const { next } = cursor
  if (first.page !== undefined) source.pages.keep(source.storeId, first.page)
  if (source.history !== undefined && next <= first.head) {
    cursor.next = yield* projectHistory({ history: source.history, storeId: source.storeId }, sink, cursor, first)
  }
  return yield* pageThrough(source, sink, cursor, cursor.next === next ? first : undefined)
})

/** Delivers what comes, from the head that was reached. */
const follow = Effect.fnUntraced(function* (
  source: Source,
  sink: Sink,
  cursor: { next: number },
  reached: number
): Effect.fn.Return<never, FeedEnd> {
  let head = reached
  while (true) {
    sink.caughtUp(head)
    yield* ride(source, sink, cursor)
    head = yield* source.pages.reading(source.storeId, pageThrough(source, sink, cursor, undefined))
  }
})

/** Delivers the history in the form that subscribers get, and answers where the stored entries go on. */
const projectHistory = (
  { history, storeId }: { readonly history: History; readonly storeId: StoreId },
  sink: Sink,
  cursor: { next: number },
  { head, page }: FreshPage
): Effect.Effect<number, FeedEnd> =>
  Effect.suspend(() => {
    const from = cursor.next
    const first = page?.first === from ? page.entries : []
    const request = { storeId, from, head, first, keepsSequencesWhole: sink.keepsSequencesWhole === true }
    return history(request, (page) => hand(sink, cursor, page, 0))
  }).pipe(retryOutage("Reading a history", storeId))

/** Delivers a page, from an index on, once the sink has room, and moves the cursor past it. */
const hand = (sink: Sink, cursor: { next: number }, page: Page, index: number): Effect.Effect<void> =>
  Effect.suspend(() => (sink.ready() ? Effect.void : sink.drained)).pipe(
    Effect.andThen(
      Effect.sync(() => {
        sink.deliver(page, index)
        cursor.next = Math.max(cursor.next, page.last + 1)
      })
    )
  )

/** Waits until what was asked for has gone out, so that the storage works while a page is sent; or is there already. */
const sentOut = (ahead: Effect.Effect<unknown, unknown> | undefined): Effect.Effect<unknown> =>
  ahead === undefined ? Effect.void : Effect.raceFirst(Effect.exit(ahead), Effect.yieldNow)

/** Delivers pages until the cursor is past the head, and answers that head. */
const pageThrough = Effect.fnUntraced(function* (
  { pages, storeId }: Source,
  sink: Sink,
  cursor: { next: number },
  first: FreshPage | undefined
): Effect.fn.Return<number, FeedEnd> {
  let shared: SharedPage | undefined = first
  let known = 0
  while (true) {
    if (!sink.ready()) yield* sink.drained
    shared ??= yield* pages.read(storeId, cursor.next).pipe(retryOutage("Reading a feed", storeId))
    if (shared.page === undefined) return shared.head
    known = Math.max(known, shared.head ?? 0)
    const next = shared.page.last + 1
    const ahead = next <= known && sink.ready() ? pages.ahead(storeId, next) : undefined
    // Nobody waits for the first.
    if (shared !== first) yield* sentOut(ahead)
    yield* hand(sink, cursor, shared.page, shared.page.indexOf(cursor.next))
    if (shared.head !== undefined && cursor.next > shared.head) return shared.head
    // One that fails is read again, and then in earnest.
    shared = ahead && (yield* Effect.orElseSucceed(ahead, () => undefined))
  }
})

/** Rides the tail until the sink is full, or returns at once when the tail is already further. */
const ride = (source: Source, sink: Sink, cursor: { next: number }): Effect.Effect<void, FeedEnd> =>
  Effect.callback<void, FeedEnd>((resume) => {
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
