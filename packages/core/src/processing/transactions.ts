import { Clock, Data, Effect, Metric } from "effect"
import type { FeedEntry } from "../backend/FeedStore.ts"
import type { StorageError } from "../backend/StorageError.ts"
import type { Contain, Lease, LeaseLostError } from "../backend/StoreProgress.ts"
import { passed, type Run } from "./handlers.ts"
import { processedEntries } from "./metrics.ts"
import type { Holding, Page } from "./page.ts"

/** Entries of one transaction, at most. PostgreSQL keeps track of 64 savepoints cheaply. */
const maxEntries = 50

/** Milliseconds after which a transaction takes no more entries: it keeps locks that others wait for. */
const maxMillis = 100

/** A handler that ran out of time may still use the transaction, so nothing of that can be kept. */
class SpoiledError extends Data.TaggedError("SpoiledError") {}

/** What became of the entries of a transaction, in order, and the sequence of the last. */
interface Committed {
  readonly runs: ReadonlyArray<Run>
  readonly reached: number
}

const nothing: Committed = { runs: [], reached: 0 }

/**
 * Processes a part of a page in transactions of the backend, a few entries each. What a handler did, and that it was done,
 * is committed together: a crash repeats nothing, and an interruption undoes what isn't committed.
 *
 * A handler that is slow gives its store's turn back, but its transaction keeps its connection, which nobody else can use
 * meanwhile: as many such handlers as the app's pool has connections hold up everybody who needs one.
 *
 * @param slow what is done when a handler is slow: it may let go of the page, which then ends here, and end the turn
 */
export const processInTransactions = Effect.fnUntraced(function* (
  { environment: { arrivals, counts, handlers }, patiently, storeId, timedOut, turn }: Holding,
  page: Page,
  transaction: NonNullable<Lease["transaction"]>,
  slow: Effect.Effect<void>
): Effect.fn.Return<void, LeaseLostError> {
  const clock = yield* Clock.Clock

  const runEntry = Effect.fnUntraced(function* (
    entry: FeedEntry,
    index: number,
    contain: Contain<StorageError>
  ): Effect.fn.Return<Run, StorageError | SpoiledError> {
    const before = entry.transportOnly ? passed : timedOut.get(entry.remoteSequence)
    if (before !== undefined) return before
    const run = yield* handlers.run(entry, page.conflictsAt(index), { storeId, contain, slow })
    if (run.outcome === "Abandoned") return yield* Effect.interrupt
    if (run.outcome === "Done") return run
    timedOut.set(entry.remoteSequence, run)
    return yield* new SpoiledError()
  })

  /** Runs handlers in one transaction, from a place in the page on, and commits. */
  const commitSome = (start: number): Effect.Effect<Committed, StorageError | LeaseLostError | SpoiledError> =>
    Effect.suspend(() => {
      // The page was let go of in a transaction that failed.
      if (start >= page.end) return Effect.succeed(nothing)
      const runs: Array<Run> = []
      let reached = 0
      return Effect.map(
        transaction((contain) =>
          Effect.gen(function* () {
            const startedAt = clock.currentTimeMillisUnsafe()
            for (let index = start; index < page.end && runs.length < maxEntries; index++) {
              const entry = page.entries[index]!
              runs.push(yield* runEntry(entry, index, contain))
              reached = entry.remoteSequence
              // Nobody may wait for a turn in a transaction.
              if (!turn.isHeld() || clock.currentTimeMillisUnsafe() - startedAt >= maxMillis) break
            }
            return reached
          })
        ),
        () => ({ runs, reached })
      )
    })

  for (let done = page.start; done < page.end; ) {
    yield* turn.begin
    const { reached, runs } = yield* patiently(commitSome(done)).pipe(
      Effect.catchTag("SpoiledError", () => Effect.succeed(nothing))
    )
    if (runs.length === 0) continue
    done += runs.length
    page.reached = reached
    counts.processed += runs.length
    yield* Metric.update(processedEntries, runs.length)
    arrivals.moved(storeId, reached)
    for (const { settle } of runs) yield* settle
    for (const sequence of timedOut.keys()) if (sequence <= reached) timedOut.delete(sequence)
  }
})
