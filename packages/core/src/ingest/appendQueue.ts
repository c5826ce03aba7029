import { Cause, Effect, Exit } from "effect"
import type { Appended, FeedRecord, FeedStore } from "../backend/FeedStore.ts"
import type { FeedLostError, StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { withSpan } from "../tracing/withSpan.ts"
import { entryBytes } from "../wire/fields.ts"
import type { Limits } from "../wire/limits.ts"
import { appends } from "./metrics.ts"

/** Why an append failed. */
export type AppendError = StorageError | StoreErasedError | FeedLostError

/** Records that are appended together, and who waits for them. */
export interface AppendRequest {
  readonly records: ReadonlyArray<FeedRecord>
  /** Called once, with one slot for each record, in order. It may not throw. */
  readonly complete: (exit: Exit.Exit<ReadonlyArray<Appended>, AppendError>) => void
}

interface Pending extends AppendRequest {
  readonly bytes: number
}

/** Makes an effect interruptible inside a region that is not. */
export type Restore = <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>

/**
 * Group commit for one store: requests that arrive while an append is in flight are appended together, in the order
 * of their arrival. One round trip to the backend then carries what many connections wrote.
 */
export class AppendQueue {
  private readonly pending: Array<Pending> = []
  private bytes = 0
  private readonly storeId: StoreId
  private readonly append: FeedStore["Service"]["append"]
  private readonly limits: Limits

  constructor(storeId: StoreId, append: FeedStore["Service"]["append"], limits: Limits) {
    this.storeId = storeId
    this.append = append
    this.limits = limits
  }

  get isEmpty(): boolean {
    return this.pending.length === 0
  }

  /** Completes what still waits as interrupted: nobody will commit it. */
  abandon(): void {
    this.settle(this.pending.splice(0), Exit.interrupt())
  }

  /** Queues a request, or answers `false` when too many bytes wait already. */
  offer(request: AppendRequest): boolean {
    const bytes = request.records.reduce((sum, { entry }) => sum + entryBytes(entry), 0)
    if (this.bytes > 0 && this.bytes + bytes > this.limits.maxPendingStoreBytes) return false
    this.bytes += bytes
    this.pending.push({ ...request, bytes })
    return true
  }

  /**
   * Commits until nothing waits, in a region that can't be interrupted. Every request that it took is completed once, come
   * what may: only the appends are interrupted, and each request still gets its answer.
   */
  drain(restore: Restore): Effect.Effect<void> {
    return Effect.whileLoop({
      while: () => this.pending.length > 0,
      body: () => this.commit(this.takeGroup(), restore),
      step: () => {}
    })
  }

  /** The next requests that fit one append; at least one, whatever its size. */
  private takeGroup(): ReadonlyArray<Pending> {
    let entries = 0
    let bytes = 0
    let count = 0
    for (const request of this.pending) {
      entries += request.records.length
      bytes += request.bytes
      if (count > 0 && (entries > this.limits.maxAppendEntries || bytes > this.limits.maxAppendBytes)) break
      count++
    }
    return this.pending.splice(0, count)
  }

  private commit(group: ReadonlyArray<Pending>, restore: Restore): Effect.Effect<void> {
    const records = group.flatMap((request) => request.records)
    return Effect.flatMap(Effect.exit(restore(this.appendAll(records))), (exit) =>
      // Nobody knows whose records the backend can't take, so each request gets its own try.
      Exit.isFailure(exit) && group.length > 1 && isForGood(exit.cause)
        ? Effect.forEach(group, (request) => this.commit([request], restore), { discard: true })
        : Effect.sync(() => this.settle(group, exit))
    )
  }

  private appendAll(records: ReadonlyArray<FeedRecord>): Effect.Effect<ReadonlyArray<Appended>, AppendError> {
    const appending = Effect.flatMap(
      Effect.withFiber(({ context }) => {
        appends.updateUnsafe(1, context)
        return this.append(this.storeId, records)
      }),
      (slots) =>
        slots.length === records.length
          ? Effect.succeed(slots)
          : Effect.die(new Error("The backend answered too few slots"))
    )
    return withSpan("EventLogServer.append", () => ({ storeId: this.storeId, entries: records.length }))(appending)
  }

  private settle(group: ReadonlyArray<Pending>, exit: Exit.Exit<ReadonlyArray<Appended>, AppendError>): void {
    for (const request of group) this.bytes -= request.bytes
    complete(group, exit)
  }
}

/** Gives each request the slots of its own records. */
const complete = (group: ReadonlyArray<Pending>, exit: Exit.Exit<ReadonlyArray<Appended>, AppendError>): void => {
  let offset = 0
  for (const request of group) {
    const from = offset
    offset += request.records.length
    const to = offset
    request.complete(Exit.map(exit, (slots) => slots.slice(from, to)))
  }
}

const isForGood = (cause: Cause.Cause<AppendError>): boolean => {
  if (Cause.hasInterrupts(cause)) return false
  const failure = cause.reasons.find(Cause.isFailReason)
  return failure === undefined || (failure.error._tag === "StorageError" && !failure.error.retryable)
}
