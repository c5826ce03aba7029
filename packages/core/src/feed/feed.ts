import { Context, Effect, FiberMap, Layer, Option } from "effect"
import { FeedStore, type PageLimits } from "../backend/FeedStore.ts"
import type { StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { RequestError } from "../wire/errors.ts"
import type { History } from "./history.ts"
import type { Sink } from "./sink.ts"
import { deliver, type Source } from "./subscription.ts"
import { Tail } from "./tail.ts"

/** Why a subscription can't be opened. */
export type FeedError = StorageError | StoreErasedError | RequestError

/** A subscription that was accepted and delivers nothing yet. */
export interface OpenedSubscription {
  /** The last sequence of the feed when it was opened. */
  readonly head: number
  /** Delivers to the sink until interrupted; fails when the store is erased. Run it once. */
  readonly run: (sink: Sink) => Effect.Effect<never, StoreErasedError>
}

/** Committed entries reach subscribers. */
export class Feed extends Context.Service<
  Feed,
  {
    /**
     * Opens a subscription at `startSequence` (inclusive; 0 is 1). Beyond the freshly read head + 1 it fails with the
     * reason `FeedMismatch`: the feed went backwards since that cursor was written.
     */
    readonly open: (storeId: StoreId, startSequence: number) => Effect.Effect<OpenedSubscription, FeedError>
    /** Stores that have subscribers on this node. */
    readonly activeStores: () => number
  }
>()("@eventlog-server/core/Feed") {}

/** The feed room over a `FeedStore`. @param history sent in place of the stored history @default the stored one */
export const layerFeed = (limits: PageLimits, history?: History): Layer.Layer<Feed, never, FeedStore> =>
  Layer.effect(
    Feed,
    Effect.gen(function* () {
      const store = yield* FeedStore
      const tails = new Map<StoreId, Tail>()
      const fibers = yield* FiberMap.make<Tail>()
      const runTail = yield* FiberMap.runtime(fibers)()

      const tailOf = (storeId: StoreId, next: number): Tail => {
        const active = tails.get(storeId)
        if (active !== undefined) return active
        const tail: Tail = new Tail(next, limits, () => {
          tails.delete(storeId)
          Option.map(FiberMap.getUnsafe(fibers, tail), (fiber) => fiber.interruptUnsafe())
        })
        tails.set(storeId, tail)
        runTail(tail, tail.follow(store, storeId))
        return tail
      }

      // Outside of `open`: a closure in there would keep the page that a subscription begins with as long as it lives.
      const sourceOf = (storeId: StoreId): Source => ({
        storeId,
        store,
        limits,
        history,
        tail: (next) => tailOf(storeId, next)
      })

      const open = Effect.fn("EventLogServer.subscribe")(function* (storeId: StoreId, startSequence: number) {
        yield* Effect.annotateCurrentSpan({ storeId, startSequence })
        const from = Math.max(1, startSequence)
        const first = yield* store.read(storeId, from, limits)
        if (from > first.head + 1) return yield* mismatch(startSequence, first.head)
        return { head: first.head, run: (sink: Sink) => deliver(sourceOf(storeId), sink, from, first) }
      })

      return Feed.of({ open, activeStores: () => tails.size })
    })
  )

const mismatch = (startSequence: number, head: number) =>
  new RequestError({
    reason: "FeedMismatch",
    message: `The feed ends at ${head} and can't be read from ${startSequence}: the server's history went backwards`
  })
