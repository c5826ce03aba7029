import { Cause, Effect, Exit, Fiber, Metric, Option, Queue, Scope, Stream } from "effect"
import { copyEntries } from "../backend/copyEntries.ts"
import type { FeedStore } from "../backend/FeedStore.ts"
import type { FeedLostError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Lease, LeaseLostError, StoreProgress } from "../backend/StoreProgress.ts"
import { runDetached } from "../containment/runDetached.ts"
import type { View } from "../continuity/continuity.ts"
import { Attempts } from "./Attempts.ts"
import { PassedIds } from "./conflicts.ts"
import type { CursorSaver } from "./cursorSaver.ts"
import type { TooManyFailuresError } from "./failures.ts"
import { processingStores } from "./metrics.ts"
import { type Holding, type Means, PageRun } from "./PageRun.ts"
import { backOff, type Patiently } from "./patience.ts"
import { retryDue } from "./retries.ts"
import { rewind } from "./rewinding.ts"
import type { StoppedStores } from "./stoppedStores.ts"
import type { Turn, Turns } from "./turns.ts"

/** What loops work with, shared by all stores of a node. */
export interface Environment extends Means {
  readonly feeds: FeedStore["Service"]
  /** See `Continuity.view`. */
  readonly view: () => View
  readonly progress: StoreProgress["Service"]
  readonly turns: Turns
  readonly stopped: StoppedStores
  readonly cursors: CursorSaver
  readonly patiently: Patiently
}

/**
 * What becomes of a store on this node, from the first word of it until it has nothing to do. `Holding` and `Idle` have the
 * lease; `Holding` has a turn, too.
 *
 * | State     | waits for                                   | and is followed by                                             |
 * |-----------|---------------------------------------------|----------------------------------------------------------------|
 * | `Queued`  | a turn, then the lease                      | `Holding`; `Blocked` where another node has the lease          |
 * | `Holding` | the handlers of a page                      | `Holding` for the next page; at the head `Idle`, or `Leaving`  |
 * |           |                                             | where nobody here writes to the store                          |
 * | `Idle`    | word of the store, no longer than `linger`  | `Holding`; `Leaving` when the time is over                     |
 * | `Blocked` | a while that grows                          | `Gone` where another node has done the work, or else `Queued`  |
 * | `Leaving` | the lease to be given back                  | `Gone`, or else `Queued` where there was word meanwhile        |
 * | `Gone`    |                                             |                                                                |
 *
 * What ran is saved before a store is `Leaving`; else while it is `Holding` or `Idle`, by the `CursorSaver`.
 *
 * Who loses the lease is `Blocked`, and so is who has a backend that breaks its word. Who loses the feed is `Queued`, and
 * begins again at the cursor that the backend has then. A store that was erased, or whose feed ends before its cursor, is
 * `Gone` at once; and so is one where another entry failed and that has all the failures that are kept.
 */
type State = "Queued" | "Holding" | "Idle" | "Blocked" | "Leaving" | "Gone"

type Trouble = LeaseLostError | FeedLostError | StoreErasedError | TooManyFailuresError

/** What there is while a store is `Holding` or `Idle`. */
interface Tenure {
  readonly holding: Holding
  readonly view: View
  isListening: boolean
}

/** A page to be run. */
interface NextPage {
  readonly page: PageRun
  readonly head: number
  /** Whether it is what this node committed itself: then the head may lie further. */
  readonly isFresh: boolean
}

/** How often a store that lost its feed begins again at once; one that got nowhere meanwhile is `Blocked` then. */
const maxLosses = 3

/** Goes on with `instead` after a defect: a port that breaks its word must not end a store's processing for good. */
const surviving =
  <B>(instead: B) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A | B, E, R> =>
    Effect.catchCauseIf(
      effect,
      (cause) => Cause.hasDies(cause),
      (cause) => Effect.as(Effect.logError("Processing failed unexpectedly", cause), instead)
    )

/** The loop of one store. */
class StoreLoop {
  readonly #environment: Environment
  readonly #storeId: StoreId
  readonly #turn: Turn
  /** Holds one word at most, which says that there may be something to do. */
  readonly #words: Queue.Queue<void>
  /** Forgets the store: the next word of it begins a new loop. */
  readonly #forget: () => void
  /** How far the feed is known to go that is to be processed; infinite where it has to be looked. 0: nothing is to be done. */
  #wanted = 0
  /** Whether there may be failures to be tried again. */
  #hasDue = false
  /** Whether the cursor is to be rewound, which is done when the lease is taken. */
  #mustTake = false
  /** Whether somebody here writes to the store: then its lease is kept for a while. */
  #lingers = false
  /** Closing it gives back what there is of a lease. */
  #scope: Scope.Closeable | undefined
  #tenure: Tenure | undefined
  /** How often the store was `Blocked` since its cursor was last moved. */
  #attempts = 0
  /** How often the feed was lost since its cursor was last moved. */
  #losses = 0
  /** Where a blocked store's head was when there last was word of it. */
  #target: number | undefined

  constructor(environment: Environment, storeId: StoreId, words: Queue.Queue<void>, forget: () => void) {
    this.#environment = environment
    this.#storeId = storeId
    this.#turn = environment.turns.join()
    this.#words = words
    this.#forget = forget
  }

  /** There may be something to do. @param sequence up to which; without it, it has to be looked */
  wake(lingers: boolean, sequence = Number.POSITIVE_INFINITY): void {
    this.#lingers ||= lingers
    this.#wanted = Math.max(this.#wanted, sequence)
    Queue.offerUnsafe(this.#words, undefined)
  }

  /** There may be failures to be tried again. */
  retry(): void {
    this.#hasDue = true
    Queue.offerUnsafe(this.#words, undefined)
  }

  /** Saves what ran until now, if that can be done. */
  get save(): Effect.Effect<void> {
    return Effect.suspend(() => Effect.ignore(this.#tenure?.holding.cursor.save ?? Effect.void))
  }

  /** The cursor is to be rewound. */
  rewind(): void {
    this.#mustTake = true
    Queue.offerUnsafe(this.#words, undefined)
  }

  /** The sequence up to which this node has processed the store, or knows it to be; `undefined` while it has no lease. */
  get reached(): number | undefined {
    return this.#mustTake ? undefined : this.#tenure?.holding.cursor.reached
  }

  get run(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      // Whoever told of a commit goes on first.
      yield* Effect.yieldNow
      let state: State = "Queued"
      while (state !== "Gone") {
        state = yield* this.#next(state)
        if (state !== "Holding" && state !== "Idle") yield* this.#giveBack()
      }
    }).pipe(
      Effect.catchTag("StoreErasedError", () => Effect.void),
      Effect.ensuring(this.#giveBack()),
      Effect.ensuring(Effect.sync(this.#forget)),
      Effect.annotateLogs({ storeId: this.#storeId })
    )
  }

  /** Does what is to be done in a state, and returns the one that follows. */
  #next(state: Exclude<State, "Gone">): Effect.Effect<State, StoreErasedError> {
    return this.#waitIn(state).pipe(
      Effect.onError(() => Effect.sync(() => this.#onTrouble())),
      Effect.catchTags({
        LeaseLostError: (error) => Effect.as(Effect.logWarning("Processing lost its lease", error), "Blocked" as const),
        FeedLostError: (error) =>
          Effect.as(
            Effect.logWarning("Processing begins again at the cursor that the backend has", error),
            this.#losses++ < maxLosses ? ("Queued" as const) : ("Blocked" as const)
          ),
        TooManyFailuresError: ({ failures }) => this.#stopForFailures(failures)
      }),
      surviving("Blocked" as const)
    )
  }

  #onTrouble(): void {
    // What there was word of is not done.
    this.wake(false)
    if (this.#tenure?.holding.cursor.hasMoved) this.#attempts = this.#losses = 0
  }

  #waitIn(state: Exclude<State, "Gone">): Effect.Effect<State, Trouble> {
    switch (state) {
      case "Queued":
        return this.#queued()
      case "Holding":
        return this.#mustTake ? Effect.succeed("Queued") : this.#holding(this.#tenure!)
      case "Idle":
        return this.#idle(this.#tenure!)
      case "Blocked":
        return this.#blocked()
      case "Leaving":
        return Effect.sync(() => (this.#leaves() ? "Gone" : "Queued"))
    }
  }

  #queued(): Effect.Effect<State, Trouble> {
    const { progress, stopped, view } = this.#environment
    return Effect.gen({ self: this }, function* () {
      yield* this.#turn.begin
      this.#scope = Scope.makeUnsafe()
      const asked = Scope.provide(progress.lease(this.#storeId), this.#scope)
      const lease = Option.getOrUndefined(yield* this.#turn.patiently(asked))
      if (lease === undefined) return "Blocked"
      this.#mustTake = false
      if (lease.rewindTo !== undefined) return yield* this.#rewind(lease)
      const history = view()
      const holding = this.#hold(lease, history)
      // What failed may be tried again in a store that is stopped: so there is room again.
      if (this.#hasDue) yield* this.#retryDue(holding)
      if (yield* this.#turn.patiently(stopped.holds(this.#storeId, lease.cursor))) return "Gone"
      this.#tenure = { holding, view: history, isListening: false }
      return "Holding"
    })
  }

  /** Moves the cursor back. What follows is found by whoever takes the lease then. */
  #rewind(lease: Lease): Effect.Effect<State, Trouble> {
    const { options } = this.#environment
    return this.#turn.patiently(rewind(lease, this.#storeId, options)).pipe(
      Effect.as("Queued" as const),
      Effect.catchTag("ResetError", (error) =>
        Effect.as(Effect.logError("A store could not be rewound", error), "Blocked" as const)
      ),
      Effect.tap(() => Effect.sync(() => this.wake(false)))
    )
  }

  #hold(lease: Lease, { feeds, remoteId }: View): Holding {
    const [storeId, turn] = [this.#storeId, this.#turn]
    const onTrouble = () => this.wake(false)
    return {
      means: this.#environment,
      storeId,
      turn,
      lease,
      cursor: this.#environment.cursors.cursorOf({ storeId, lease, remoteId, onTrouble }),
      feeds,
      remoteId,
      ids: new PassedIds(feeds, storeId, lease.cursor),
      failures: this.#environment.progress.failures,
      attempts: new Attempts(this.#environment.options.retry),
      replayTo: lease.replayTo,
      timedOut: new Map()
    }
  }

  #holding(tenure: Tenure): Effect.Effect<State, Trouble> {
    const { cursor } = tenure.holding
    return Effect.gen({ self: this }, function* () {
      yield* this.#beforePage(tenure)
      const wanted = this.#quiet()
      // Word of what was processed meanwhile.
      if (wanted <= cursor.reached) return yield* this.#rest(tenure)
      // A slow handler may have ended it.
      yield* this.#turn.begin
      const { head, isFresh, page } = yield* this.#readOn(tenure)
      if (cursor.reached > head) return yield* this.#stop(tenure, head)
      if (page.hasMore) {
        yield* page.run
        // Handlers and a backend that return at once would never let a timer or a socket have its turn.
        yield* Effect.yieldNow
      } else if (cursor.reached < head) {
        return yield* Effect.die(new Error(`The page after ${cursor.reached} is empty, but the head is ${head}`))
      }
      // What others appended behind is only known of what was read from the storage.
      if (cursor.reached < head || (isFresh && cursor.reached < wanted)) {
        this.#wanted = Math.max(this.#wanted, wanted, head)
        yield* this.#turn.end
        return "Holding"
      }
      return yield* this.#rest(tenure)
    })
  }

  #beforePage(tenure: Tenure): Effect.Effect<void, Trouble> {
    return Effect.gen({ self: this }, function* () {
      if (tenure.holding.cursor.isHeldUp) yield* this.#save(tenure)
      if (this.#hasDue) yield* this.#retryDue(tenure.holding)
    })
  }

  /** What is asked for while it runs is looked at next. */
  #retryDue(holding: Holding): Effect.Effect<void, Trouble> {
    return Effect.suspend(() => {
      this.#hasDue = false
      return Effect.onError(retryDue(holding), () =>
        Effect.sync(() => {
          this.#hasDue = true
        })
      )
    })
  }

  #stopForFailures(failures: number): Effect.Effect<State> {
    const { reached = 0 } = this.#tenure?.holding.cursor ?? {}
    return Effect.as(this.#environment.stopped.add({ storeId: this.#storeId, cursor: reached, failures }), "Gone")
  }

  /** The feed ends before what was processed. */
  #stop(tenure: Tenure, head: number): Effect.Effect<State, Trouble> {
    const { reached } = tenure.holding.cursor
    return this.#save(tenure).pipe(
      Effect.andThen(this.#environment.stopped.add({ storeId: this.#storeId, cursor: reached, head })),
      Effect.as("Gone")
    )
  }

  /** What follows when there is nothing to do. */
  #rest(tenure: Tenure): Effect.Effect<State, Trouble> {
    return this.#lingers ? Effect.succeed("Idle") : Effect.as(this.#save(tenure), "Leaving")
  }

  /** Saves what ran. Nobody is to wait for the store's turn meanwhile. */
  #save({ holding }: Tenure): Effect.Effect<void, Trouble> {
    return Effect.andThen(this.#turn.end, holding.cursor.save)
  }

  /** The page behind the cursor, and the head as far as it is known. What was committed here need not be read. */
  #readOn({ holding, view }: Tenure): Effect.Effect<NextPage, Trouble> {
    const { pageLimits } = this.#environment.options
    const from = holding.cursor.reached + 1
    const fresh = view.fresh(this.#storeId, from, pageLimits)
    if (fresh !== undefined) {
      // Handlers may do with entries what they like, and others hold these.
      const page = new PageRun(holding, copyEntries(fresh.entries))
      return Effect.succeed({ page, head: fresh.head, isFresh: true })
    }
    const read = holding.feeds.read(this.#storeId, from, pageLimits)
    return Effect.map(this.#turn.patiently(read), ({ entries, head }) => ({
      // Nobody else may refer to the entries.
      page: new PageRun(holding, entries),
      head,
      isFresh: false
    }))
  }

  #idle(tenure: Tenure): Effect.Effect<State, Trouble> {
    return Effect.gen({ self: this }, function* () {
      if (!tenure.isListening) yield* this.#listen()
      tenure.isListening = true
      yield* this.#turn.end
      const word = yield* Effect.raceFirst(
        Effect.as(Queue.peek(this.#words), "Holding" as const),
        Effect.as(Effect.sleep(this.#environment.options.linger), undefined)
      )
      if (word === undefined) yield* this.#save(tenure)
      return word ?? "Leaving"
    })
  }

  /** Has word of commits by any node for as long as there is the lease. The first comes at once. */
  #listen(): Effect.Effect<void> {
    const { feeds, patiently } = this.#environment
    return feeds.wakeups(this.#storeId).pipe(
      Stream.runForEach(({ head }) => Effect.sync(() => this.wake(false, head))),
      patiently,
      Effect.forkIn(this.#scope!),
      Effect.asVoid
    )
  }

  #blocked(): Effect.Effect<State, Trouble> {
    return Effect.gen({ self: this }, function* () {
      if ((yield* this.#isDone()) && this.#leaves()) return "Gone"
      yield* backOff(this.#environment.options.leaseRetry, this.#attempts++)
      return "Queued"
    })
  }

  /**
   * Whether the cursor has passed the head as it was when there last was word of the store, and nothing is to be tried again:
   * another node did the work.
   */
  #isDone(): Effect.Effect<boolean, StoreErasedError> {
    const { feeds, patiently, progress } = this.#environment
    return Effect.gen({ self: this }, function* () {
      const storeId = this.#storeId
      if (this.#mustTake) return false
      if (this.#hasDue) {
        const due = yield* patiently(progress.failures.list({ storeId, isDue: true, limit: 1 }))
        if (due.length > 0) return false
        this.#hasDue = false
      }
      if (this.#isWoken) this.#target = undefined
      this.#wanted = this.#quiet()
      this.#target ??= (yield* patiently(feeds.head(this.#storeId))).sequence
      const [cursor = 0] = yield* patiently(progress.cursors([this.#storeId]))
      return cursor >= this.#target
    }).pipe(surviving(false))
  }

  get #isWoken(): boolean {
    return Queue.sizeUnsafe(this.#words) > 0
  }

  /** What there was word of until now is looked at next. Returns how far the feed goes as far as that is known. */
  #quiet(): number {
    Queue.takeUnsafe(this.#words)
    const wanted = this.#wanted
    this.#wanted = 0
    return wanted
  }

  /** Leaves, unless there was word of the store meanwhile. */
  #leaves(): boolean {
    if (this.#isWoken) return false
    this.#forget()
    return true
  }

  /** Saves what isn't yet, ends the turn, and gives the lease back. */
  #giveBack(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const [scope, tenure] = [this.#scope, this.#tenure]
      this.#scope = undefined
      this.#tenure = undefined
      if (scope === undefined) return this.#turn.end
      const giveUp = Effect.sleep(this.#environment.options.shutdownTimeout)
      return (tenure?.holding.cursor.leave(giveUp) ?? Effect.void).pipe(
        Effect.andThen(Scope.close(scope, Exit.void)),
        Effect.andThen(this.#turn.end)
      )
    }).pipe(Effect.uninterruptible)
  }
}

/** The stores that this node looks after, each with a loop of its own for as long as it has something to do. */
export interface StoreLoops {
  /**
   * Says that entries were committed to a store by this node, up to a sequence; without one, that it has to be looked. It
   * returns at once.
   */
  readonly notify: (storeId: StoreId, sequence?: number | undefined) => void
  /** Looks at a store that may have something to do, now or again. It returns at once. */
  readonly look: (storeId: StoreId) => void
  /** Looks at a store that may have failures to be tried again. It returns at once. */
  readonly retry: (storeId: StoreId) => void
  /** Saves what this node ran of a store, if it has the lease and can. */
  readonly save: (storeId: StoreId) => Effect.Effect<void>
  /** Looks at a store whose cursor is to be rewound. It returns at once. */
  readonly rewind: (storeId: StoreId) => void
  readonly size: () => number
  /** The sequence up to which this node has processed a store, or knows it to be; `undefined` where it has no lease of it. */
  readonly reached: (storeId: StoreId) => number | undefined
  /** Takes no more stores, interrupts what can be, and waits up to `millis` for the rest. */
  readonly stop: (millis: number) => Effect.Effect<void>
}

export const makeStoreLoops = (environment: Environment): Effect.Effect<StoreLoops> =>
  Effect.map(Effect.context<never>(), (context) => {
    const run = Effect.runForkWith(context)
    const loops = new Map<StoreId, StoreLoop>()
    const fibers = new Set<Fiber.Fiber<unknown, unknown>>()
    let isStopped = false

    const start = (storeId: StoreId): StoreLoop => {
      const words = Effect.runSync(Queue.dropping<void>(1))
      const loop: StoreLoop = new StoreLoop(environment, storeId, words, () => {
        if (loops.get(storeId) === loop) loops.delete(storeId)
      })
      loops.set(storeId, loop)
      const counted = Effect.ensuring(loop.run, Metric.modify(processingStores, -1))
      const fiber = run(Effect.andThen(Metric.modify(processingStores, 1), counted))
      fibers.add(fiber)
      fiber.addObserver(() => fibers.delete(fiber))
      return loop
    }

    /** The loop of a store, unless no more are taken. */
    const loopOf = (storeId: StoreId): StoreLoop | undefined =>
      isStopped ? undefined : (loops.get(storeId) ?? start(storeId))

    return {
      notify: (storeId, sequence) => {
        if (!environment.stopped.stops.has(storeId)) loopOf(storeId)?.wake(true, sequence)
      },
      look: (storeId) => loopOf(storeId)?.wake(false),
      retry: (storeId) => loopOf(storeId)?.retry(),
      save: (storeId) => Effect.suspend(() => loops.get(storeId)?.save ?? Effect.void),
      rewind: (storeId) => loopOf(storeId)?.rewind(),
      size: () => loops.size,
      reached: (storeId) => loops.get(storeId)?.reached,
      stop: (millis) =>
        Effect.suspend(() => {
          isStopped = true
          for (const fiber of fibers) fiber.interruptUnsafe()
          return runDetached(Fiber.awaitAll(fibers), Effect.sleep(millis))
        })
    }
  })
