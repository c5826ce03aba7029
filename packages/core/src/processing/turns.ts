import { Effect, Latch, Semaphore } from "effect"
import type { RetryMillis } from "./options.ts"
import { outlast, type Patiently } from "./patience.ts"

/** A store's place among those that take turns at being processed. */
export interface Turn {
  /** Waits for a turn, behind those who waited before. Within a turn it does nothing. */
  readonly begin: Effect.Effect<void>
  /** Ends the turn. Without one it does nothing. */
  readonly end: Effect.Effect<void>
  readonly isHeld: () => boolean
  /**
   * Ends the turn in the middle of a page, until `begin`. `false`: the page can't be kept meanwhile, since stores that do
   * so hold too many bytes already. Who keeps its page counts until its turn begins again or ends.
   */
  readonly pause: (bytes: number) => Effect.Effect<boolean>
  /** Repeats a call while the backend is away. A store that waits for that doesn't keep others waiting. */
  readonly patiently: Patiently
}

/** Lets a number of stores be processed at the same time, and the others one after the other, first come first served. */
export interface Turns {
  /** A place, at first without a turn. Who has no use for it any more ends its turn. */
  readonly join: () => Turn
  /** Waits until fewer stores wait for their turn than may have one. */
  readonly room: Effect.Effect<void>
}

/** How stores take turns. */
export interface TurnsOptions {
  /** Stores that may have a turn at the same time. */
  readonly maxStores: number
  /** What stores that paused may keep, all together. */
  readonly maxPausedBytes: number
  readonly outageRetry: RetryMillis
}

export const makeTurns = ({ maxPausedBytes, maxStores, outageRetry }: TurnsOptions): Turns => {
  const permits = Semaphore.makeUnsafe(maxStores)
  const room = Latch.makeUnsafe(true)
  let waiting = 0
  let pausedBytes = 0
  const addWaiting = (change: 1 | -1): void => {
    waiting += change
    if (waiting < maxStores) room.openUnsafe()
    else room.closeUnsafe()
  }

  const makeTurn = (): Turn => {
    let held = false
    let kept = 0
    const keep = (bytes: number): void => {
      pausedBytes += bytes - kept
      kept = bytes
    }
    const take = Effect.uninterruptibleMask((restore) =>
      Effect.sync(() => addWaiting(1)).pipe(
        Effect.andThen(restore(permits.take(1))),
        Effect.andThen(
          Effect.sync(() => {
            held = true
            keep(0)
          })
        ),
        Effect.ensuring(Effect.sync(() => addWaiting(-1)))
      )
    )
    const giveBack = Effect.suspend(() => {
      if (!held) return Effect.void
      held = false
      return Effect.asVoid(permits.release(1))
    })
    const begin = Effect.suspend(() => (held ? Effect.void : take))
    const end = Effect.suspend(() => {
      keep(0)
      return giveBack
    })
    const withoutTurn = (pause: Effect.Effect<void>): Effect.Effect<void> =>
      end.pipe(Effect.andThen(pause), Effect.andThen(begin))
    return {
      begin,
      end,
      isHeld: () => held,
      pause: (bytes) =>
        Effect.map(giveBack, () => {
          const fits = pausedBytes - kept + bytes <= maxPausedBytes
          keep(fits ? bytes : 0)
          return fits
        }),
      patiently: (call) => Effect.catch(call, (failure) => outlast(call, failure, outageRetry, withoutTurn))
    }
  }

  return { join: makeTurn, room: room.await }
}
