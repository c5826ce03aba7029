import { type Context, Effect, Exit, Fiber } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { KnownEntry } from "../backend/FeedStore.ts"
import type { FeedLostError, StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Lease, LeaseLostError } from "../backend/StoreProgress.ts"
import { runDetached } from "../containment/runDetached.ts"
import { processedEntries } from "./metrics.ts"
import type { Patiently } from "./patience.ts"

/** Why a cursor can't be saved any more: its holder has to begin again at the one that the backend has. */
type Moving = LeaseLostError | FeedLostError

/** Milliseconds between two looks at what is unsaved, while there is something. */
const tickMillis = 25

/** A store that was at rest for so long is saved: 25 ms, and what was left of the tick before them. */
const restTicks = 2

/** What ran is saved after a second, though its store doesn't come to rest. */
const saveTicks = 40

/** Nothing more is run when two seconds are unsaved: the backend is slow, and a crash must not repeat more and more. */
const maxUnsavedTicks = 80

/** What the cursor of a store is saved by. */
export interface CursorOptions {
  readonly storeId: StoreId
  readonly lease: Lease
  /** The backend's id in the history that the lease was taken in. */
  readonly remoteId: () => EventJournal.RemoteId | undefined
  /** Told when the cursor can't be saved any more. */
  readonly onTrouble: () => void
}

/** What the backend was asked to save. */
interface Saving {
  readonly fiber: Fiber.Fiber<void, Moving>
  /** When the first of it ran. */
  readonly firstTick: number
  /** Whether it waits for a backend that is away. */
  readonly isAway: () => boolean
}

/**
 * How far the holder of a store's lease has processed it, and how far the backend was told of that. It is told a little
 * later, by the node's `CursorSaver`, while the store goes on.
 */
export class SavedCursor {
  readonly #saver: CursorSaver
  readonly #options: CursorOptions
  #reached: number
  #saved: number
  /** The id of the entry that was reached. */
  #id: EventJournal.EntryId | undefined
  /** When the first entry ran, and when the last one, of those that the backend wasn't asked to save yet. */
  #firstTick: number | undefined
  #lastTick = 0
  #saving: Saving | undefined
  #trouble: Exit.Failure<void, Moving> | undefined

  constructor(saver: CursorSaver, options: CursorOptions) {
    this.#saver = saver
    this.#options = options
    this.#reached = options.lease.cursor
    this.#saved = options.lease.cursor
  }

  /** The sequence of the last entry that counts as processed. */
  get reached(): number {
    return this.#reached
  }

  /** Whether the backend's cursor was moved under this lease. */
  get hasMoved(): boolean {
    return this.#saved > this.#options.lease.cursor
  }

  /** Whether nothing more may run before `save`: the cursor can't be saved any more, or not as fast as entries are run. */
  get isHeldUp(): boolean {
    const firstTick = this.#saving?.firstTick ?? this.#firstTick
    return this.#trouble !== undefined || (firstTick !== undefined && this.#saver.tick - firstTick >= maxUnsavedTicks)
  }

  /** Whether it is time to save what ran. */
  get isDue(): boolean {
    const { tick } = this.#saver
    if (this.#firstTick === undefined || this.#saving !== undefined) return false
    return tick - this.#lastTick >= restTicks || tick - this.#firstTick >= saveTicks
  }

  /** The entry of a sequence counts as processed, and so does everything before it. */
  ran(sequence: number, id: EventJournal.EntryId): void {
    this.#reached = sequence
    this.#id = id
    this.#lastTick = this.#saver.tick
    if (this.#firstTick !== undefined) return
    this.#firstTick = this.#lastTick
    this.#saver.add(this)
  }

  /** The backend's cursor was moved. */
  moved(sequence: number): void {
    processedEntries.updateUnsafe(sequence - this.#saved, this.#saver.context)
    this.#saved = sequence
    this.#reached = Math.max(this.#reached, sequence)
  }

  /** Saves all that ran. Fails where that can't be done any more. */
  get save(): Effect.Effect<void, Moving> {
    return Effect.suspend(() => {
      this.begin()
      if (this.#trouble !== undefined) return this.#trouble
      return this.#saving === undefined ? Effect.void : Effect.flatMap(Fiber.await(this.#saving.fiber), () => this.save)
    })
  }

  /** Begins to save what ran, unless that is being done. */
  begin(): void {
    const firstTick = this.#firstTick
    if (firstTick === undefined || this.#saving !== undefined || this.#trouble !== undefined) return
    const { lease, storeId } = this.#options
    const to = this.#entry
    let isAway = false
    const advance = Effect.onError(lease.advance(to), () =>
      Effect.sync(() => {
        isAway = true
      })
    )
    const fiber = this.#saver.run(Effect.annotateLogs(this.#saver.patiently(advance), { storeId }))
    this.#firstTick = undefined
    this.#saving = { fiber, firstTick, isAway: () => isAway }
    fiber.addObserver((exit) => this.#end(to, exit))
  }

  /** Saves what ran a last time, unless that takes until `giveUp` or the backend is away. */
  leave(giveUp: Effect.Effect<unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#saver.remove(this)
      const saving = this.#saving
      // Whoever leaves waits for what is under way, but for no backend that is away.
      const saved = saving === undefined || saving.isAway() ? Effect.void : Fiber.await(saving.fiber)
      const stop = Effect.sync(() => saving?.fiber.interruptUnsafe())
      const rest = saved.pipe(Effect.andThen(stop), Effect.andThen(this.#saveOnce))
      return this.#isSaved ? Effect.void : Effect.ensuring(Effect.asVoid(runDetached(rest, giveUp)), stop)
    })
  }

  get #saveOnce(): Effect.Effect<unknown, Moving | StorageError> {
    return Effect.suspend(() => {
      if (this.#isSaved) return Effect.void
      const to = this.#entry
      return Effect.map(this.#options.lease.advance(to), () => this.moved(to.sequence))
    })
  }

  /** Whether there is nothing to be saved, or nothing that can be. */
  get #isSaved(): boolean {
    return this.#trouble !== undefined || this.#reached === this.#saved
  }

  get #entry(): KnownEntry {
    return { sequence: this.#reached, id: this.#id!, remoteId: this.#options.remoteId() }
  }

  #end({ sequence }: KnownEntry, exit: Exit.Exit<void, Moving>): void {
    this.#saving = undefined
    if (Exit.isSuccess(exit)) this.moved(sequence)
    else if (!Exit.hasInterrupts(exit)) {
      this.#trouble = exit
      this.#options.onTrouble()
    }
    if (this.#firstTick === undefined || this.#trouble !== undefined) this.#saver.remove(this)
  }
}

/** What all cursors of a node are saved with. */
export interface CursorSaverOptions {
  readonly patiently: Patiently
  readonly context: Context.Context<never>
}

/**
 * Has the cursors of a node saved when their stores have come to rest, or after a second: those of all stores that are due at
 * the same moment, so that a storage can make one statement of them. One timer does for all, and none where all is saved.
 */
export class CursorSaver {
  readonly patiently: Patiently
  readonly context: Context.Context<never>
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  /** Counts the looks at what is unsaved. */
  tick = 0
  readonly #unsaved = new Set<SavedCursor>()
  #isTicking = false

  constructor({ context, patiently }: CursorSaverOptions) {
    this.patiently = patiently
    this.context = context
    this.run = Effect.runForkWith(context)
  }

  /** The cursor of a store whose lease was taken. */
  cursorOf(options: CursorOptions): SavedCursor {
    return new SavedCursor(this, options)
  }

  /** There is something to be saved. */
  add(cursor: SavedCursor): void {
    this.#unsaved.add(cursor)
    if (this.#isTicking) return
    this.#isTicking = true
    this.run(this.#ticks)
  }

  /** There is nothing to be saved any more. */
  remove(cursor: SavedCursor): void {
    this.#unsaved.delete(cursor)
  }

  get #ticks(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      while (this.#unsaved.size > 0) {
        yield* Effect.sleep(tickMillis)
        this.tick++
        for (const cursor of this.#unsaved) if (cursor.isDue) cursor.begin()
      }
      this.#isTicking = false
    })
  }
}
