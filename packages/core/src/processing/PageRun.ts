import { Clock, Data, Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { FeedEntry, FeedStore, KnownEntry } from "../backend/FeedStore.ts"
import type { FeedLostError, StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Contain, Failures, Lease, LeaseLostError, Within } from "../backend/StoreProgress.ts"
import type { View } from "../continuity/continuity.ts"
import { isTraced, withSpan } from "../tracing/withSpan.ts"
import { entryBytes } from "../wire/fields.ts"
import { entryCost } from "../wire/limits.ts"
import type { Attempts } from "./Attempts.ts"
import { type Conflicts, conflictsOf, type PassedIds } from "./conflicts.ts"
import type { SavedCursor } from "./cursorSaver.ts"
import {
  type FailedRun,
  type FailureReports,
  keepFailure,
  TooManyConflictsError,
  type TooManyFailuresError
} from "./failures.ts"
import { type HandlerCall, type Handlers, passed, type Run, waited } from "./handlers.ts"
import type { ResolvedProcessingOptions } from "./options.ts"
import type { Turn } from "./turns.ts"
import type { Arrivals } from "./waiting.ts"

/** What pages are run with, whatever store they are of. */
export interface Means {
  readonly handlers: Handlers
  readonly reports: FailureReports
  readonly options: ResolvedProcessingOptions
  readonly arrivals: Arrivals
  /** Entries that this node passed. */
  readonly counts: { processed: number }
}

/** What the holder of a store's lease works with, page after page. */
export interface Holding {
  readonly means: Means
  readonly storeId: StoreId
  readonly turn: Turn
  readonly lease: Lease
  readonly cursor: SavedCursor
  /** The feeds of the history that the lease was taken in. */
  readonly feeds: FeedStore["Service"]
  /** The backend's id in that history. */
  readonly remoteId: View["remoteId"]
  readonly ids: PassedIds
  /** What the store's handlers failed on. */
  readonly failures: Failures
  /** Up to this sequence handlers see entries again. */
  readonly replayTo: number
  readonly attempts: Attempts
  /** Handlers that ran out of time in a transaction, which was undone, by sequence: they don't run again. */
  readonly timedOut: Map<number, Run>
}

type Moving = LeaseLostError | FeedLostError

/** Lets an interruption be heard of in an effect. */
type Restore = <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>

/**
 * Nothing of a transaction can be kept, or there is nothing in it: a handler that ran out of time may still use it; the first
 * handler failed, and is tried again later.
 */
class SpoiledError extends Data.TaggedError("SpoiledError") {}

/**
 * Milliseconds after which the event loop gets its turn in the middle of a page: handlers that return without waiting for
 * anything would keep every timer and socket of the process waiting until its end.
 */
const maxBusyMillis = 10

/** Entries of one transaction, at most. PostgreSQL keeps track of 64 savepoints cheaply. */
const maxTransactionEntries = 50

/** Milliseconds after which a transaction takes no more entries: it keeps locks that others wait for. */
const maxTransactionMillis = 100

/**
 * Brings a page of entries to their handlers, and the cursor behind them. The page is run in parts: those entries whose
 * conflicts are held at the same time. What is in it is referred to here alone, so that it can be let go of while a handler
 * runs; the cursor tells how far it came.
 */
export class PageRun {
  readonly #holding: Holding
  #entries: ReadonlyArray<FeedEntry>
  /** The conflicts of the part's entries. */
  #conflicts: ReadonlyArray<Conflicts> = []
  /** The places of the part's first entry in the page, and behind its last one. */
  #start = 0
  #end = 0

  constructor(holding: Holding, entries: ReadonlyArray<FeedEntry>) {
    this.#holding = holding
    this.#entries = entries
  }

  /** Whether there are entries behind the part. */
  get hasMore(): boolean {
    return this.#end < this.#entries.length
  }

  /** Runs the page: in transactions with the cursor, where the backend has them, or else in steps. */
  get run(): Effect.Effect<void, Moving | StoreErasedError | TooManyFailuresError> {
    const { cursor, storeId } = this.#holding
    const first = cursor.reached + 1
    const last = cursor.reached + this.#entries.length
    return this.#runParts().pipe(
      withSpan("eventlog.process", () => ({
        "eventlog.store": storeId,
        "eventlog.first": first,
        "eventlog.last": last
      }))
    )
  }

  #runParts(): Effect.Effect<void, Moving | StoreErasedError | TooManyFailuresError> {
    return Effect.gen({ self: this }, function* () {
      const { ids, lease, turn } = this.#holding
      const greatestBelow = yield* turn.patiently(ids.greatest)
      ids.pass(this.#entries)
      let maxRanges = Number.POSITIVE_INFINITY
      while (this.hasMore) {
        // The conflicts of the next part are to take the place of these, not to come on top of them.
        this.#conflicts = []
        // A large part is work like a page: others have their turns in between, and so have timers and sockets.
        if (this.#end > 0) yield* turn.end.pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(turn.begin))
        maxRanges = yield* this.#beginPart(maxRanges, greatestBelow)
        yield* lease.transaction === undefined ? this.#runSteps() : this.#runTransactions(lease.transaction)
      }
      this.#letGo()
    })
  }

  /** Finds the conflicts of as many entries as can be held, and returns how many places to look at for the next part. */
  #beginPart(maxRanges: number, greatestBelow: EventJournal.EntryId | undefined): Effect.Effect<number> {
    const { feeds, means, storeId, turn } = this.#holding
    const { maxConflictBytes, maxConflicts } = means.options
    const found = conflictsOf(feeds, storeId, this.#entries, {
      from: this.#end,
      maxRanges,
      maxBytes: maxConflictBytes,
      maxConflicts,
      greatestBelow,
      isHandled: means.handlers.has
    })
    return Effect.map(turn.patiently(found), ({ conflicts, ranges }) => {
      this.#conflicts = conflicts
      this.#start = this.#end
      this.#end += conflicts.length
      // Few came of many that were asked for: each of those cost a look.
      return 2 * ranges
    })
  }

  /**
   * Runs the part's handlers one after the other. An interruption lets the running handler end: it may come from a handler,
   * so that it is heard of only where no handler runs.
   */
  #runSteps(): Effect.Effect<void, Moving | TooManyFailuresError> {
    return Effect.uninterruptibleMask((restore) => this.#runStepsBetween(restore))
  }

  #runStepsBetween(restore: Restore): Effect.Effect<void, Moving | TooManyFailuresError> {
    const { cursor, turn } = this.#holding
    return Effect.gen({ self: this }, function* () {
      const clock = yield* Clock.Clock
      const call = this.#callIn(Effect.exit, (yield* isTraced) ? undefined : yield* Effect.context<never>())
      let yieldedAt = clock.currentTimeMillisUnsafe()
      for (let index = this.#start; index < this.#end; ) {
        const { remoteSequence } = this.#entries[index]!
        const step = this.#runStep(index, call, restore)
        if (step !== undefined) yield* Effect.andThen(step, restore(Effect.void))
        // An entry that is tried again is the next one still.
        index += Number(cursor.reached >= remoteSequence)
        if (!turn.isHeld() || cursor.isHeldUp) yield* restore(this.#saveOutOfTurn())
        if (clock.currentTimeMillisUnsafe() - yieldedAt >= maxBusyMillis) {
          yield* restore(Effect.yieldNow)
          yieldedAt = clock.currentTimeMillisUnsafe()
        }
      }
    })
  }

  /** Runs an entry's handler. `undefined`: that is done. */
  #runStep(
    index: number,
    call: HandlerCall<never>,
    restore: Restore
  ): Effect.Effect<void, TooManyFailuresError> | undefined {
    const entry = this.#entries[index]!
    const run = this.#runEntry(index, call)
    return Effect.isEffect(run)
      ? Effect.flatMap(run, (ended) => this.#endStep(entry, ended, restore) ?? Effect.void)
      : this.#endStep(entry, run, restore)
  }

  #endStep(
    entry: FeedEntry,
    { failed, settle }: Run,
    restore: Restore
  ): Effect.Effect<void, TooManyFailuresError> | undefined {
    if (failed !== undefined) return restore(this.#seeTo(failed))
    if (settle !== undefined) return Effect.map(settle, () => this.#ran(entry))
    this.#ran(entry)
    return undefined
  }

  /** Waits until a handler that failed may be tried again; or keeps the failure, so that the entry is passed. */
  #seeTo(failed: FailedRun): Effect.Effect<void, TooManyFailuresError> {
    const { attempts, failures, means, storeId, turn } = this.#holding
    return Effect.gen({ self: this }, function* () {
      if (attempts.isTriedAgain(failed)) return yield* attempts.pause(failed, this.#slow)
      const ofStore: Within["failures"] = {
        record: (kept) => failures.record(storeId, kept),
        settle: (sequences) => failures.settle(storeId, sequences)
      }
      const tooMany = yield* turn.patiently(keepFailure(ofStore, failed, means.options.maxFailures))
      if (tooMany !== undefined) return yield* tooMany
      yield* means.reports.report(storeId, failed)
      this.#ran(failed.feedEntry)
    })
  }

  #ran({ entry, remoteSequence }: FeedEntry): void {
    const { cursor, means, storeId } = this.#holding
    this.#settled(remoteSequence)
    cursor.ran(remoteSequence, entry.id)
    means.arrivals.reached(storeId, remoteSequence)
  }

  /** What was done isn't to wait for the turns of others, nor others for a backend that is slow. */
  #saveOutOfTurn(): Effect.Effect<void, Moving> {
    const { cursor, turn } = this.#holding
    const paused = turn.isHeld() ? this.#slow : Effect.void
    return paused.pipe(Effect.andThen(cursor.save), Effect.andThen(turn.begin))
  }

  /**
   * Runs the part's handlers in transactions of the backend, a few entries each. What a handler did, and that it was done, is
   * committed together: a crash repeats nothing, and an interruption undoes what isn't committed.
   *
   * A handler that is slow gives its store's turn back, but its transaction keeps its connection, which nobody else can use
   * meanwhile: as many such handlers as the app's pool has connections hold up everybody who needs one.
   */
  #runTransactions(transaction: NonNullable<Lease["transaction"]>): Effect.Effect<void, Moving | TooManyFailuresError> {
    const { attempts, turn } = this.#holding
    return Effect.gen({ self: this }, function* () {
      for (let done = this.#start; done < this.#end; ) {
        yield* turn.begin
        const some = yield* turn.patiently(this.#commitSome(transaction, done))
        done += some.committed.length
        yield* this.#committed(some.committed)
        if (some.tooMany !== undefined) return yield* some.tooMany
        if (some.failed !== undefined) yield* attempts.pause(some.failed, this.#slow)
      }
    })
  }

  /** Does what is to be done for entries that count as processed. */
  #committed(committed: ReadonlyArray<Ran>): Effect.Effect<void> {
    const { cursor, means, storeId } = this.#holding
    return Effect.gen({ self: this }, function* () {
      for (const { entry, run } of committed) {
        if (run.failed !== undefined) yield* means.reports.report(storeId, run.failed)
        if (run.settle !== undefined) yield* run.settle
        this.#settled(entry.remoteSequence)
      }
      const last = committed.at(-1)?.entry.remoteSequence
      if (last === undefined) return
      // Whoever waits for an entry finds told what is to be told of it.
      cursor.moved(last)
      means.arrivals.reached(storeId, last)
    })
  }

  /** Runs handlers in one transaction, from a place in the page on, and commits. Returns what became of each entry. */
  #commitSome(
    transaction: NonNullable<Lease["transaction"]>,
    start: number
  ): Effect.Effect<Committed, Moving | StorageError> {
    return Effect.suspend(() => {
      const some: Committed = { committed: [], failed: undefined, tooMany: undefined }
      // The page was let go of in a transaction that failed.
      if (start >= this.#end) return Effect.succeed(some)
      return transaction((within) => this.#runIn(within, start, some)).pipe(
        Effect.catchTag("SpoiledError", () => Effect.void),
        Effect.as(some)
      )
    })
  }

  /** Runs handlers within a transaction, and returns the last entry that it passes. */
  #runIn(
    { contain, failures }: Within,
    start: number,
    some: Committed
  ): Effect.Effect<KnownEntry, StorageError | SpoiledError> {
    const { turn } = this.#holding
    return Effect.gen({ self: this }, function* () {
      const clock = yield* Clock.Clock
      const call = this.#callIn(contain, undefined)
      const startedAt = clock.currentTimeMillisUnsafe()
      for (let index = start; index < this.#end && some.committed.length < maxTransactionEntries; index++) {
        const entry = this.#entries[index]!
        const run = yield* waited(this.#runEntry(index, call))
        if (run.failed !== undefined && !(yield* this.#passIn(failures, run.failed, some))) break
        some.committed.push({ entry, run })
        // Nobody may wait for a turn in a transaction.
        if (!turn.isHeld() || clock.currentTimeMillisUnsafe() - startedAt >= maxTransactionMillis) break
      }
      const last = some.committed.at(-1)
      return last === undefined ? yield* new SpoiledError() : this.#knownOf(last.entry)
    })
  }

  /** Keeps the failure of an entry in a transaction, so that the entry is passed. `false`: it isn't. */
  #passIn(
    failures: Within["failures"],
    failed: FailedRun,
    some: Committed
  ): Effect.Effect<boolean, StorageError | SpoiledError> {
    const { attempts, means, timedOut } = this.#holding
    const { remoteSequence } = failed.feedEntry
    return Effect.suspend((): Effect.Effect<boolean, StorageError | SpoiledError> => {
      if (failed.reason === "TimedOut" && !timedOut.has(remoteSequence)) {
        timedOut.set(remoteSequence, { failed, settle: undefined })
        some.committed = []
        return Effect.fail(new SpoiledError())
      }
      if (attempts.isTriedAgain(failed)) {
        some.failed = failed
        return Effect.succeed(false)
      }
      return Effect.map(keepFailure(failures, failed, means.options.maxFailures), (tooMany) => {
        some.tooMany = tooMany
        return tooMany === undefined
      })
    })
  }

  #knownOf({ entry, remoteSequence }: FeedEntry): KnownEntry {
    return { sequence: remoteSequence, id: entry.id, remoteId: this.#holding.remoteId() }
  }

  /** Runs an entry's handler, unless it has none or ran before. */
  #runEntry<E>(index: number, call: HandlerCall<E>): Run | Effect.Effect<Run, E> {
    const { means, timedOut } = this.#holding
    const entry = this.#entries[index]!
    const before = entry.transportOnly ? passed : timedOut.get(entry.remoteSequence)
    if (before !== undefined) return before
    return means.handlers.run(entry, this.#conflicts[index - this.#start] ?? [], call)
  }

  #callIn<E>(contain: Contain<E>, direct: HandlerCall<E>["direct"]): HandlerCall<E> {
    const { replayTo, storeId } = this.#holding
    return { storeId, replayTo, contain, direct, slow: this.#slow }
  }

  #settled(sequence: number): void {
    const { attempts, means, timedOut } = this.#holding
    means.counts.processed++
    attempts.forget(sequence)
    timedOut.delete(sequence)
  }

  /** Done while a handler or the backend is slow: others needn't wait for this store. */
  readonly #slow = Effect.suspend(() =>
    Effect.map(this.#holding.turn.pause(this.#bytes()), (isKept) => {
      if (!isKept) this.#letGo()
    })
  )

  /** Lets go of everything that didn't begin. Who goes on reads it again. */
  #letGo(): void {
    this.#entries = []
    this.#conflicts = []
    this.#end = 0
  }

  /** What the page makes the process hold, in bytes with what the objects cost. */
  #bytes(): number {
    let bytes = 0
    for (const { entry } of this.#entries) bytes += entryCost + entryBytes(entry)
    const conflicts = this.#conflicts.flatMap((found) => (found instanceof TooManyConflictsError ? [] : found))
    for (const entry of new Set(conflicts)) bytes += entryCost + entryBytes(entry)
    return bytes
  }
}

/** An entry, and what became of its handler. */
interface Ran {
  readonly entry: FeedEntry
  readonly run: Run
}

/** What a transaction committed, and why it ended where it did. */
interface Committed {
  committed: Array<Ran>
  /** The next entry failed, and is tried again. */
  failed: FailedRun | undefined
  /** The next entry failed, and there is no room for it. */
  tooMany: TooManyFailuresError | undefined
}
