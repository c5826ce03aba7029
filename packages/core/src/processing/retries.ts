import { Data, Effect } from "effect"
import type { FeedEntry } from "../backend/FeedStore.ts"
import type { FeedLostError, StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { KeptFailure, Lease, LeaseLostError } from "../backend/StoreProgress.ts"
import { type Conflicts, conflictsOf } from "./conflicts.ts"
import { awaitsDeploy, type FailedRun, toFailure } from "./failures.ts"
import { type HandlerCall, type Run, waited } from "./handlers.ts"
import type { Holding } from "./PageRun.ts"

/** Failures that are listed at a time. */
const pageSize = 32

type Moving = LeaseLostError | FeedLostError

/** A handler failed, so that nothing of its transaction is kept. */
class FailedAgainError extends Data.TaggedError("FailedAgainError")<{ readonly failed: FailedRun }> {}

/**
 * Tries those failures of a store again that are due, in their order, once each. Nothing else of the store runs meanwhile: an
 * entry that is tried again finds what was made of all entries up to the cursor, and gets those as conflicts that it would have
 * gone before.
 */
export const retryDue = (holding: Holding): Effect.Effect<void, Moving | StoreErasedError> =>
  Effect.gen(function* () {
    const { failures, storeId, turn } = holding
    for (let sequence = 0; ; ) {
      const query = { storeId, isDue: true, after: { storeId, sequence }, limit: pageSize } as const
      const due = yield* turn.patiently(failures.list(query))
      for (const failure of due) {
        yield* turn.begin
        yield* retryOne(holding, failure)
        // Timers and sockets have their turn.
        yield* Effect.yieldNow
      }
      sequence = due.at(-1)?.sequence ?? sequence
      if (due.length < pageSize) return
    }
  })

const retryOne = Effect.fnUntraced(function* (
  holding: Holding,
  failure: KeptFailure
): Effect.fn.Return<void, Moving | StoreErasedError> {
  const { cursor, failures, lease, means, storeId, turn } = holding
  const { sequence } = failure
  const settle = turn.patiently(failures.settle(storeId, [sequence]))
  const entry = yield* findEntry(holding, failure)
  if (entry === undefined) {
    yield* Effect.logWarning(`Entry ${sequence} failed, and is gone by now: its feed was lost`)
    return yield* settle
  }
  // The cursor will come to it.
  if (sequence > cursor.reached) return yield* settle
  const conflicts = yield* findConflicts(holding, entry)
  const run = yield* lease.transaction === undefined
    ? Effect.uninterruptible(waited(means.handlers.run(entry, conflicts, callOf(holding))))
    : retryInTransaction(holding, lease.transaction, entry, conflicts)
  // A transaction has settled it.
  if (run.failed === undefined) {
    if (lease.transaction === undefined) yield* settle
    if (run.settle !== undefined) yield* run.settle
    return
  }
  // A node with another schema may be waiting for the lease: it stays due.
  if (awaitsDeploy(run.failed.reason) && run.failed.reason === failure.reason) return
  yield* turn.patiently(failures.record(storeId, [toFailure(run.failed)]))
  yield* means.reports.report(storeId, run.failed)
})

/** The entry that failed; `undefined` where it isn't in its place any more. */
const findEntry = ({ feeds, storeId, turn }: Holding, { entryId, sequence }: KeptFailure) =>
  Effect.map(turn.patiently(feeds.read(storeId, sequence, { maxEntries: 1, maxBytes: 1 })), ({ entries: [found] }) =>
    found?.entry.id.every((byte, index) => byte === entryId[index]) ? found : undefined
  )

/** What went before it by now, though its id is less. */
const findConflicts = ({ cursor, feeds, means, storeId, turn }: Holding, entry: FeedEntry) => {
  const { maxConflictBytes, maxConflicts } = means.options
  const found = conflictsOf(feeds, storeId, [entry], {
    from: 0,
    below: cursor.reached + 1,
    maxRanges: 1,
    maxBytes: maxConflictBytes,
    maxConflicts,
    greatestBelow: undefined,
    isHandled: means.handlers.has
  })
  return Effect.map(turn.patiently(found), ({ conflicts: [conflicts = []] }) => conflicts)
}

/** Runs a handler in a transaction, in which its failure is settled. */
const retryInTransaction = (
  holding: Holding,
  transaction: NonNullable<Lease["transaction"]>,
  entry: FeedEntry,
  conflicts: Conflicts
): Effect.Effect<Run, Moving> =>
  Effect.suspend(() => {
    let run: Run | undefined
    const work: Parameters<typeof transaction<FailedAgainError | StorageError, never>>[0] = ({ contain, failures }) =>
      Effect.gen(function* () {
        run = yield* waited(holding.means.handlers.run(entry, conflicts, { ...callOf(holding), contain }))
        if (run.failed !== undefined) return yield* new FailedAgainError({ failed: run.failed })
        yield* failures.settle([entry.remoteSequence])
        return undefined
      })
    return holding.turn.patiently(transaction(work)).pipe(
      Effect.catchTag("FailedAgainError", () => Effect.void),
      Effect.map(() => run!)
    )
  })

const callOf = ({ storeId, turn }: Holding): HandlerCall<never> => ({
  storeId,
  replayTo: 0,
  contain: Effect.exit,
  direct: undefined,
  slow: turn.end
})
