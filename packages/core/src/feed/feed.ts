import { Clock, Context, Effect, type Fiber, FiberSet, Layer } from "effect"
import type { FeedStore, PageLimits, ReadOptions } from "../backend/FeedStore.ts"
import { FeedLostError, type StorageError, type StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { Continuity } from "../continuity/continuity.ts"
import { RequestError } from "../wire/errors.ts"
import { Crowd } from "./Crowd.ts"
import { HistoryPages } from "./HistoryPages.ts"
import type { History } from "./history.ts"
import type { Sink } from "./sink.ts"
import { deliver, type Source } from "./subscription.ts"
import { Tail } from "./tail.ts"

/** Why a subscription can't be opened. */
export type FeedError = StorageError | StoreErasedError | FeedLostError | RequestError

/** A subscription that was accepted and delivers nothing yet. */
export interface OpenedSubscription {
  /** The last sequence of the feed when it was opened. */
  readonly head: number
  /** Delivers to the sink until interrupted; fails when the store is erased, or its history is another one. Run it once. */
  readonly run: (sink: Sink) => Effect.Effect<never, StoreErasedError | FeedLostError>
}

/** Committed entries reach subscribers. */
export class Feed extends Context.Service<
  Feed,
  {
    /**
     * Opens a subscription at `startSequence` (inclusive; 0 is 1). Beyond the freshly read head + 1 it fails with the
     * reason `FeedMismatch`: the feed went backwards since that cursor was written. So it does where the entry before
     * isn't `lastEntryId`: the subscriber has entries of a history that is lost.
     */
    readonly open: (
      storeId: StoreId,
      startSequence: number,
      lastEntryId?: Uint8Array | undefined
    ) => Effect.Effect<OpenedSubscription, FeedError>
    /** Stores that have subscribers on this node. */
    readonly activeStores: () => number
  }
>()("@eventlog-server/core/Feed") {}

/** The feed room. @param history sent in place of the stored history @default the stored one */
export const layerFeed = (limits: PageLimits, history?: History): Layer.Layer<Feed, never, Continuity> =>
  Layer.effect(
    Feed,
    Effect.gen(function* () {
      const continuity = yield* Continuity
      // Subscribers get encodings, or copies.
      const reading: ReadOptions = { ...limits, borrows: true }
      const tails = new Map<StoreId, Tail>()
      const clock = yield* Clock.Clock
      const fork = yield* FiberSet.makeRuntime()
      const readPages = () => new HistoryPages(continuity.view().feeds, reading, fork)
      const crowd = new Crowd(clock.currentTimeMillisUnsafe.bind(clock), fork)
      let pages = readPages()

      const tailOf = (storeId: StoreId, next: number): Tail => {
        const active = tails.get(storeId)
        if (active !== undefined) return active
        let following: Fiber.Fiber<void> | undefined
        const tail: Tail = new Tail(next, reading, () => {
          if (tails.get(storeId) === tail) tails.delete(storeId)
          following?.interruptUnsafe()
        })
        tails.set(storeId, tail)
        following = fork(tail.follow(continuity.view(), storeId, () => crowd.gather()))
        return tail
      }

      // Those who follow have been told other entries than the feed holds now.
      yield* continuity.onBroken(() => {
        pages = readPages()
        for (const [storeId, tail] of [...tails]) tail.end(new FeedLostError({ storeId, sequence: undefined }))
      })

      // Outside of `open`: a closure in there would keep the page that a subscription begins with as long as it lives.
      const sourceOf = (storeId: StoreId): Source => ({
        storeId,
        pages,
        history,
        tail: (next) => tailOf(storeId, next)
      })

      const open = Effect.fn("EventLogServer.subscribe")(function* (
        storeId: StoreId,
        startSequence: number,
        lastEntryId?: Uint8Array
      ) {
        yield* Effect.annotateCurrentSpan({ storeId, startSequence })
        const source = sourceOf(storeId)
        const from = Math.max(1, startSequence)
        if (lastEntryId !== undefined && from > 1) {
          yield* checkLast(continuity.view().feeds, { storeId, sequence: from - 1, lastEntryId })
        }
        const first = yield* source.pages.open(storeId, from)
        if (from > first.head + 1) return yield* wentBackwards(startSequence, first.head)
        return { head: first.head, run: (sink: Sink) => deliver(source, sink, from, first) }
      })

      return Feed.of({ open, activeStores: () => tails.size })
    })
  )

const mismatch = (message: string) => new RequestError({ reason: "FeedMismatch", message })

const wentBackwards = (startSequence: number, head: number) =>
  mismatch(`The feed ends at ${head} and can't be read from ${startSequence}: the server's history went backwards`)

/** Fails unless the entry at a sequence is the one that a subscriber has there. Who subscribes is not trusted: it is all that follows. */
const checkLast = Effect.fnUntraced(function* (
  feeds: FeedStore["Service"],
  {
    lastEntryId,
    sequence,
    storeId
  }: { readonly storeId: StoreId; readonly sequence: number; readonly lastEntryId: Uint8Array }
): Effect.fn.Return<void, FeedError> {
  const { entries } = yield* feeds.read(storeId, sequence, { maxEntries: 1, maxBytes: 1 })
  const id = entries[0]?.entry.id
  if (id?.every((byte, index) => byte === lastEntryId[index])) return
  yield* Effect.logWarning(
    "A device has an entry that the feed doesn't hold: the history went backwards while no server ran. Give the backend a new id (FeedAdmin.rotateId), so that devices send what they hold"
  ).pipe(Effect.annotateLogs({ storeId, sequence }))
  return yield* mismatch(
    `The feed holds another entry at ${sequence}: the server's history is not the one that was read`
  )
})
