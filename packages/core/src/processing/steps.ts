import { Clock, Effect, Metric } from "effect"
import type { FeedEntry } from "../backend/FeedStore.ts"
import type { Lease, LeaseLostError } from "../backend/StoreProgress.ts"
import { runDetached } from "../containment/runDetached.ts"
import type { Environment } from "./environment.ts"
import { passed, type Run } from "./handlers.ts"
import { processedEntries } from "./metrics.ts"
import type { Patiently } from "./outage.ts"
import type { Page } from "./page.ts"

/** How long handlers run before the cursor is moved in the middle of a page: what a crash repeats at most. */
const saveInterval = 1_000

/**
 * Milliseconds after which the event loop gets its turn in the middle of a page: handlers that answer without waiting for
 * anything would keep every timer and socket of the process waiting until its end.
 */
const maxBusyMillis = 10

/**
 * Runs the handlers of a page, in order, and moves the cursor behind it. An interruption lets the running handler end, and
 * then moves the cursor as far as the page was done.
 */
export const processInSteps = Effect.fnUntraced(function* (
  environment: Environment,
  { conflicts, entries, storeId }: Page,
  { advance }: Lease,
  patiently: Patiently
): Effect.fn.Return<void, LeaseLostError> {
  const { arrivals, counts, handlers, options } = environment
  const clock = yield* Clock.Clock
  let done = 0
  let saved = 0
  let savedAt = clock.currentTimeMillisUnsafe()
  let yieldedAt = savedAt

  const settle = ({ remoteSequence }: FeedEntry, { outcome, settle }: Run) =>
    outcome === "Abandoned"
      ? Effect.void
      : Effect.map(settle, () => {
          done = remoteSequence
          counts.processed++
        })

  const runEntry = (entry: FeedEntry, index: number) =>
    entry.transportOnly
      ? settle(entry, passed)
      : Effect.flatMap(handlers.run(storeId, entry, conflicts[index] ?? [], Effect.exit), (run) => settle(entry, run))

  const save = Effect.suspend(() => {
    const reached = done
    return patiently(advance(reached)).pipe(
      Effect.andThen(Metric.update(processedEntries, entries.filter(isBetween(saved, reached)).length)),
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
    done > saved ? runDetached(advance(done), Effect.sleep(options.shutdownTimeout)) : Effect.void
  )

  yield* Effect.gen(function* () {
    for (const [index, feedEntry] of entries.entries()) {
      yield* Effect.uninterruptible(runEntry(feedEntry, index))
      const now = clock.currentTimeMillisUnsafe()
      if (now - savedAt >= saveInterval) yield* save
      if (now - yieldedAt >= maxBusyMillis) {
        yield* Effect.yieldNow
        yieldedAt = clock.currentTimeMillisUnsafe()
      }
    }
    if (done > saved) yield* save
  }).pipe(Effect.onInterrupt(() => saveBeforeLeaving))
})

const isBetween =
  (after: number, upTo: number) =>
  ({ remoteSequence }: FeedEntry): boolean =>
    remoteSequence > after && remoteSequence <= upTo
