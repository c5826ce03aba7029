import { Cause, Context, Effect, Exit, FiberSet, Layer } from "effect"
import type { EventJournal } from "effect/eventlog"
import { type Appended, type FeedRecord, FeedStore } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { RequestError } from "../wire/errors.ts"
import type { Limits } from "../wire/limits.ts"
import { AppendQueue, type Restore } from "./appendQueue.ts"
import { isReplacement } from "./checkEntries.ts"
import { committedEntries, writeRequests } from "./metrics.ts"
import { submitInParts } from "./submitInParts.ts"
import type { Submit, WriteError, Written } from "./write.ts"

/** Called after a commit, with the store whose feed grew, and the last sequence of what was committed. It may not throw. */
export type OnCommitted = (storeId: StoreId, sequence: number) => void

/** A client batch or a server write becomes committed entries. */
export class Ingest extends Context.Service<
  Ingest,
  {
    /**
     * Queues a write and calls `complete` once, when it is durable or failed. Writes to one store commit in the order
     * of these calls. Nothing cancels a write that was queued.
     */
    readonly submit: Submit
    /** Entries committed by this node since it started. */
    readonly committed: () => number
    /** Waits until nothing is queued or in flight. */
    readonly idle: Effect.Effect<void>
  }
>()("@eventlog-server/core/Ingest") {}

/** The ingest room over a `FeedStore`. */
export const layerIngest = (limits: Limits, onCommitted: OnCommitted): Layer.Layer<Ingest, never, FeedStore> =>
  Layer.effect(
    Ingest,
    Effect.gen(function* () {
      const store = yield* FeedStore
      const queues = new Map<StoreId, AppendQueue>()
      /** Those that have not begun yet. */
      const starting = new Map<StoreId, AppendQueue>()
      const fibers = yield* FiberSet.make()
      const run = yield* FiberSet.runtime(fibers)()
      const context = yield* Effect.context()
      let committed = 0
      let isClosed = false
      // Before the fibers are interrupted: what is submitted then would find nobody to commit it.
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          isClosed = true
        })
      )

      const queueOf = (storeId: StoreId): AppendQueue => {
        const active = queues.get(storeId)
        if (active !== undefined) return active
        const queue = new AppendQueue(storeId, store.append, limits)
        queues.set(storeId, queue)
        return queue
      }

      const enqueue = (
        storeId: StoreId,
        records: ReadonlyArray<FeedRecord>,
        complete: (exit: Exit.Exit<ReadonlyArray<Appended>, WriteError>) => void
      ): void => {
        const isActive = queues.has(storeId)
        const queue = queueOf(storeId)
        if (!queue.offer({ records, complete })) return complete(Exit.fail(overloaded()))
        if (isActive) return
        start(storeId, queue)
      }

      /** Begins at the end of this turn of the event loop. */
      const start = (storeId: StoreId, queue: AppendQueue): void => {
        if (starting.set(storeId, queue).size > 1) return
        run(Effect.uninterruptibleMask((restore) => Effect.andThen(Effect.yieldNow, begin(restore))))
      }

      /**
       * What arrives in the same turn shares the first append of its store, and all stores begin together, so that a storage
       * that can append to several in one step is asked for them at once. A fiber is for each but the first.
       */
      const begin = (restore: Restore): Effect.Effect<void> =>
        Effect.suspend(() => {
          const queued = Array.from(starting)
          starting.clear()
          // Nothing is begun any more by then.
          if (isClosed) {
            for (const [storeId, queue] of queued) stopped(storeId, queue)
            return Effect.void
          }
          const [first, ...others] = queued.map(([storeId, queue]) =>
            Effect.ensuring(
              queue.drain(restore),
              Effect.sync(() => stopped(storeId, queue))
            )
          )
          for (const other of others) run(Effect.uninterruptible(other))
          return first ?? Effect.void
        })

      const stopped = (storeId: StoreId, queue: AppendQueue): void => {
        if (isClosed) queue.abandon()
        // A write may have come in after the last look.
        if (queue.isEmpty) queues.delete(storeId)
        else start(storeId, queue)
      }

      const failure = (cause: Cause.Cause<WriteError>): Cause.Cause<WriteError> =>
        Cause.hasInterruptsOnly(cause) ? Cause.fail(isClosed ? shuttingDown() : interrupted()) : cause

      const submitWhole: Submit = (request, complete) => {
        writeRequests.updateUnsafe(1, context)
        if (isClosed) return complete(Exit.fail(shuttingDown()))
        const records = request.entries
          .filter((entry) => !isReplacement(entry))
          .map((entry) => ({ entry, author: request.author, transportOnly: request.transportOnly }))
        if (records.length === 0) return complete(Exit.succeed(toWritten(request.entries, [])))
        enqueue(request.storeId, records, (exit) => {
          if (Exit.isFailure(exit)) return complete(Exit.failCause(failure(exit.cause)))
          const written = toWritten(request.entries, exit.value)
          committed += written.committed.length
          committedEntries.updateUnsafe(written.committed.length, context)
          complete(Exit.succeed(written))
          const last = written.committed.at(-1)
          if (last !== undefined) onCommitted(request.storeId, last.remoteSequence)
        })
      }

      const submitDivided = submitInParts(submitWhole, limits)
      const submit: Submit = (request, complete) =>
        request.isDivisible === true ? submitDivided(request, complete) : submitWhole(request, complete)

      return Ingest.of({ submit, committed: () => committed, idle: FiberSet.awaitEmpty(fibers) })
    })
  )

const overloaded = () =>
  new RequestError({ reason: "RateLimited", message: "Too much waits to be written to this store" })

const shuttingDown = () => new RequestError({ reason: "ShuttingDown", message: "The server is shutting down" })

const interrupted = () => new RequestError({ reason: "Unavailable", message: "The write was interrupted" })

const toWritten = (entries: ReadonlyArray<EventJournal.Entry>, appended: ReadonlyArray<Appended>): Written => {
  const sequenceNumbers: Array<number> = []
  const committed: Array<{ readonly remoteSequence: number; readonly entry: EventJournal.Entry }> = []
  let slot = 0
  for (const entry of entries) {
    if (isReplacement(entry)) {
      sequenceNumbers.push(0)
      continue
    }
    const { isNew, sequence } = appended[slot++]!
    sequenceNumbers.push(sequence)
    if (isNew) committed.push({ remoteSequence: sequence, entry })
  }
  return { sequenceNumbers, committed }
}
