import { Clock, Effect, Metric } from "effect"
import type { FeedEntry } from "../backend/FeedStore.ts"
import type { LeaseLostError } from "../backend/StoreProgress.ts"
import { runDetached } from "../containment/runDetached.ts"
import { passed, type Run } from "./handlers.ts"
import { processedEntries } from "./metrics.ts"
import type { Holding, Page } from "./page.ts"

/** How long handlers run before the cursor is moved in the middle of a page: what a crash repeats at most. */
const saveInterval = 1_000

/**
 * Milliseconds after which the event loop gets its turn in the middle of a page: handlers that answer without waiting for
 * anything would keep every timer and socket of the process waiting until its end.
 */
const maxBusyMillis = 10

/**
 * Runs the handlers of a part of a page, in order, and moves the cursor behind it. An interruption lets the running handler
 * end, and then moves the cursor as far as the part was done.
 *
 * @param slow what is done when a handler is slow: it may let go of the page, which then ends here, and end the turn
 */
export const processInSteps = Effect.fnUntraced(function* (
  { environment, lease: { advance }, patiently, storeId, turn }: Holding,
  page: Page,
  slow: Effect.Effect<void>
): Effect.fn.Return<void, LeaseLostError> {
  const { arrivals, counts, handlers, options } = environment
  const clock = yield* Clock.Clock
  const call = { storeId, contain: Effect.exit, slow }
  let saved = page.reached
  let savedAt = clock.currentTimeMillisUnsafe()
  let yieldedAt = savedAt

  const settle = ({ remoteSequence }: FeedEntry, { outcome, settle }: Run) =>
    outcome === "Abandoned"
      ? Effect.void
      : Effect.map(settle, () => {
          page.reached = remoteSequence
          counts.processed++
        })

  const runEntry = (entry: FeedEntry, index: number) =>
    entry.transportOnly
      ? settle(entry, passed)
      : Effect.flatMap(handlers.run(entry, page.conflictsAt(index), call), (run) => settle(entry, run))

  const save = Effect.suspend(() => {
    const { reached } = page
    if (reached === saved) return Effect.void
    return patiently(advance(reached)).pipe(
      Effect.andThen(Metric.update(processedEntries, reached - saved)),
      Effect.andThen(
        Effect.sync(() => {
          saved = reached
          savedAt = clock.currentTimeMillisUnsafe()
          arrivals.moved(storeId, reached)
        })
      )
    )
  })

  const saveBeforeLeaving = Effect.suspend(() =>
    page.reached > saved ? runDetached(advance(page.reached), Effect.sleep(options.shutdownTimeout)) : Effect.void
  )

  yield* Effect.gen(function* () {
    for (let index = page.start; index < page.end; index++) {
      yield* Effect.uninterruptible(runEntry(page.entries[index]!, index))
      // What was done is not to wait for others' turns.
      if (!turn.isHeld()) yield* Effect.andThen(save, turn.begin)
      const now = clock.currentTimeMillisUnsafe()
      if (now - savedAt >= saveInterval) yield* save
      if (now - yieldedAt >= maxBusyMillis) {
        yield* Effect.yieldNow
        yieldedAt = clock.currentTimeMillisUnsafe()
      }
    }
    yield* save
  }).pipe(Effect.onInterrupt(() => saveBeforeLeaving))
})
