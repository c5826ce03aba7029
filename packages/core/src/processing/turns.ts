import { Effect, Latch, type Scope, Semaphore } from "effect"

/** A store's place among those that take turns at being processed. */
export interface Turn {
  /** Waits for a turn, behind those who waited before. Within a turn it does nothing. */
  readonly begin: Effect.Effect<void>
  /** Ends the turn. Without one it does nothing. */
  readonly end: Effect.Effect<void>
}

/** Lets a number of stores be processed at the same time, and the others one after the other, first come first served. */
export interface Turns {
  /** A place, until the scope closes. It begins without a turn. */
  readonly join: Effect.Effect<Turn, never, Scope.Scope>
  /** Waits until fewer stores wait for their turn than may have one. */
  readonly room: Effect.Effect<void>
}

export const makeTurns = (count: number): Turns => {
  const permits = Semaphore.makeUnsafe(count)
  const room = Latch.makeUnsafe(true)
  let waiting = 0
  const addWaiting = (change: 1 | -1): void => {
    waiting += change
    if (waiting < count) room.openUnsafe()
    else room.closeUnsafe()
  }

  const makeTurn = (): Turn => {
    let held = false
    const take = Effect.uninterruptibleMask((restore) =>
      Effect.sync(() => addWaiting(1)).pipe(
        Effect.andThen(restore(permits.take(1))),
        Effect.andThen(
          Effect.sync(() => {
            held = true
          })
        ),
        Effect.ensuring(Effect.sync(() => addWaiting(-1)))
      )
    )
    return {
      begin: Effect.suspend(() => (held ? Effect.void : take)),
      end: Effect.suspend(() => {
        if (!held) return Effect.void
        held = false
        return Effect.asVoid(permits.release(1))
      })
    }
  }

  return {
    join: Effect.acquireRelease(Effect.sync(makeTurn), (turn) => turn.end),
    room: room.await
  }
}
