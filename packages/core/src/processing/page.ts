import { Clock, Effect, Metric } from "effect"
import type { FeedEntry } from "../ports/FeedStore.ts"
import type { StoreId } from "../ports/StoreId.ts"
import type { Lease, LeaseLostError } from "../ports/StoreProgress.ts"
import { conflictsOf } from "./conflicts.ts"
import { runDetached } from "./detached.ts"
import type { Environment } from "./environment.ts"
import { processedEntries } from "./metrics.ts"
import type { Patiently } from "./outage.ts"

/** How long handlers run before the cursor is moved in the middle of a page: what a crash repeats at most. */
const saveInterval = 1_000

/**
 * Milliseconds after which the event loop gets its turn in the middle of a page: handlers that answer without waiting for
 * anything would keep every timer and socket of the process waiting until its end.
 */
const maxBusyMillis = 10

/** The last sequence of a page. */
export const lastOf = (page: ReadonlyArray<FeedEntry>): number => page[page.length - 1]?.remoteSequence ?? 0

/**
 * Runs the handlers of a page, in order, and moves the cursor behind it. An interruption lets the running handler end, and
 * then moves the cursor as far as the page was done.
 */
export const processPage = Effect.fnUntraced(
  function* (
    environment: Environment,
    storeId: StoreId,
    lease: Lease,
    page: ReadonlyArray<FeedEntry>,
    patiently: Patiently
  ): Effect.fn.Return<void, LeaseLostError> {
    const { arrivals, counts, feeds, handlers, options } = environment
    const clock = yield* Clock.Clock
    const conflicts = yield* patiently(
      conflictsOf(feeds, storeId, page, { maxConflicts: options.maxConflicts, isHandled: handlers.has })
    )
    let done = 0
    let saved = 0
    let savedAt = clock.currentTimeMillisUnsafe()
    let yieldedAt = savedAt

    const runEntry = (feedEntry: FeedEntry, index: number): Effect.Effect<void> =>
      Effect.map(
        feedEntry.transportOnly ? Effect.succeed(true) : handlers.run(storeId, feedEntry, conflicts[index] ?? []),
        (passed) => {
          if (!passed) return
          done = feedEntry.remoteSequence
          counts.processed++
        }
      )

    const save = Effect.suspend(() => {
      const reached = done
      return patiently(lease.advance(reached)).pipe(
        Effect.andThen(Metric.update(processedEntries, page.filter(isBetween(saved, reached)).length)),
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
      done > saved ? runDetached(lease.advance(done), Effect.sleep(options.shutdownTimeout)) : Effect.void
    )

    yield* Effect.gen(function* () {
      for (const [index, feedEntry] of page.entries()) {
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
  },
  (effect, _environment, storeId, _lease, page) =>
    Effect.withSpan(effect, "eventlog.process", {
      attributes: {
        "eventlog.store": storeId,
        "eventlog.first": page[0]?.remoteSequence,
        "eventlog.last": lastOf(page)
      }
    })
)

const isBetween =
  (after: number, upTo: number) =>
  ({ remoteSequence }: FeedEntry): boolean =>
    remoteSequence > after && remoteSequence <= upTo
