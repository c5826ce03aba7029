import { Clock, Data, Effect, Metric } from "effect"
import type { FeedEntry } from "../backend/FeedStore.ts"
import type { StorageError } from "../backend/StorageError.ts"
import type { Contain, Lease, LeaseLostError } from "../backend/StoreProgress.ts"
import type { Environment } from "./environment.ts"
import { passed, type Run } from "./handlers.ts"
import { processedEntries } from "./metrics.ts"
import type { Patiently } from "./outage.ts"
import type { Page } from "./page.ts"

/** Entries of one transaction, at most. PostgreSQL keeps track of 64 savepoints cheaply. */
const maxEntries = 50

/** Milliseconds after which a transaction takes no more entries: it keeps locks that others wait for. */
const maxMillis = 100

/** A handler that ran out of time may still use the transaction, so nothing of that can be kept. */
class SpoiledError extends Data.TaggedError("SpoiledError") {}

/** What became of the entries of a transaction, in order. */
type Runs = ReadonlyArray<Run>

/**
 * Processes a page in transactions of the backend, a few entries each. What a handler did, and that it was done, is
 * committed together: a crash repeats nothing, and an interruption undoes what isn't committed.
 */
export const processInTransactions = Effect.fnUntraced(function* (
  { arrivals, counts, handlers }: Environment,
  { conflicts, entries, storeId }: Page,
  transaction: NonNullable<Lease["transaction"]>,
  patiently: Patiently
): Effect.fn.Return<void, LeaseLostError> {
  const clock = yield* Clock.Clock
  /** Those that ran out of time, by their place in the page. They count as processed, and don't run again. */
  const timedOut = new Map<number, Run>()

  const runEntry = Effect.fnUntraced(function* (
    index: number,
    entry: FeedEntry,
    contain: Contain<StorageError>
  ): Effect.fn.Return<Run, StorageError | SpoiledError> {
    const before = entry.transportOnly ? passed : timedOut.get(index)
    if (before !== undefined) return before
    const run = yield* handlers.run(storeId, entry, conflicts[index] ?? [], contain)
    if (run.outcome === "Abandoned") return yield* Effect.interrupt
    if (run.outcome === "Done") return run
    timedOut.set(index, run)
    return yield* new SpoiledError()
  })

  /** Runs handlers in one transaction, from a place in the page on, and commits. */
  const commitSome = (start: number): Effect.Effect<Runs, StorageError | LeaseLostError | SpoiledError> =>
    Effect.suspend(() => {
      const runs: Array<Run> = []
      return Effect.as(
        transaction((contain) =>
          Effect.gen(function* () {
            const startedAt = clock.currentTimeMillisUnsafe()
            let reached = 0
            for (const [offset, entry] of entries.slice(start, start + maxEntries).entries()) {
              runs.push(yield* runEntry(start + offset, entry, contain))
              reached = entry.remoteSequence
              if (clock.currentTimeMillisUnsafe() - startedAt >= maxMillis) break
            }
            return reached
          })
        ),
        runs
      )
    })

  let done = 0
  while (done < entries.length) {
    const runs = yield* patiently(commitSome(done)).pipe(
      Effect.catchTag("SpoiledError", () => Effect.succeed<Runs>([]))
    )
    if (runs.length === 0) continue
    done += runs.length
    counts.processed += runs.length
    yield* Metric.update(processedEntries, runs.length)
    arrivals.moved(storeId, entries[done - 1]?.remoteSequence ?? 0)
    for (const { settle } of runs) yield* settle
  }
})
