import { Effect, Latch, type Scope, Semaphore } from "effect"

/** A store's place among those that take turns at being processed. */
export interface Turn {
  /** Waits for a turn, behind those who waited before. Within a turn it does nothing. */
  readonly begin: Effect.Effect<void>
  /** Ends the turn. Without one it does nothing. */
  readonly end: Effect.Effect<void>
  readonly isHeld: () => boolean
  /**
   * Ends the turn in the middle of a page, until `begin`. `false`: the page can't be kept meanwhile, since stores that do
   * so hold too many bytes already. Who keeps its page counts until it has a turn again or the scope closes.
   */
  readonly pause: (bytes: number) => Effect.Effect<boolean>
}

/** Lets a number of stores be processed at the same time, and the others one after the other, first come first served. */
export interface Turns {
  /** A place, until the scope closes. It begins without a turn. */
  readonly join: Effect.Effect<Turn, never, Scope.Scope>
  /** Waits until fewer stores wait for their turn than may have one. */
  readonly room: Effect.Effect<void>
}

/** @param maxPausedBytes what stores that paused may keep, all together */
export const makeTurns = (count: number, maxPausedBytes: number): Turns => {
  const permits = Semaphore.makeUnsafe(count)
  const room = Latch.makeUnsafe(true)
  let waiting = 0
  let pausedBytes = 0
  const addWaiting = (change: 1 | -1): void => {
    waiting += change
    if (waiting < count) room.openUnsafe()
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
    return {
      begin: Effect.suspend(() => (held ? Effect.void : take)),
      end: Effect.suspend(() => {
        keep(0)
        return giveBack
      }),
      isHeld: () => held,
      pause: (bytes) =>
        Effect.map(giveBack, () => {
          const fits = pausedBytes - kept + bytes <= maxPausedBytes
          keep(fits ? bytes : 0)
          return fits
        })
    }
  }

  return {
    join: Effect.acquireRelease(Effect.sync(makeTurn), (turn) => turn.end),
    room: room.await
  }
}
