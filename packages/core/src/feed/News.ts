import { Clock, Effect } from "effect"
import type { Wakeup } from "../backend/FeedStore.ts"
import { joinWakeups } from "../backend/WakeupListeners.ts"

/**
 * How soon a feed that has grown is looked at again. A frame costs a system call for each subscriber, whatever it carries:
 * under a burst the writes of so long share one. Nobody sees a delay of that, and a feed at rest has none.
 */
export const pauseMillis = 3

/** What wake-ups told of a feed, until it is looked at. */
export class News {
  #heard: Wakeup | undefined
  #grewAt = Number.NEGATIVE_INFINITY
  #listener: (() => void) | undefined

  hear(wakeup: Wakeup): void {
    this.#heard = this.#heard === undefined ? wakeup : joinWakeups(this.#heard, wakeup)
    this.#listener?.()
  }

  /** The feed was looked at, and had grown. */
  readonly grew: Effect.Effect<void> = Effect.map(Clock.currentTimeMillis, (now) => {
    this.#grewAt = now
  })

  /**
   * Waits until the feed is to be looked at, and takes what was heard. What only says that it grew waits for the pause after
   * the last time; what says no more than that something happened doesn't: the store may be gone.
   */
  readonly taken: Effect.Effect<Wakeup> = Effect.suspend(() => this.#until(() => this.#heard !== undefined)).pipe(
    Effect.andThen(Clock.currentTimeMillis),
    Effect.flatMap((now) => this.#pause(this.#grewAt + pauseMillis - now)),
    Effect.map(() => {
      const heard = this.#heard!
      this.#heard = undefined
      return heard
    })
  )

  /** A clock that was set back makes no pause longer. */
  #pause(rest: number): Effect.Effect<unknown> {
    const isPressing = () => this.#heard?.head === undefined
    return rest <= 0 || isPressing()
      ? Effect.void
      : Effect.timeoutOption(this.#until(isPressing), Math.min(rest, pauseMillis))
  }

  #until(isSo: () => boolean): Effect.Effect<void> {
    if (isSo()) return Effect.void
    return Effect.callback<void>((resume) => {
      this.#listener = () => {
        if (!isSo()) return
        this.#listener = undefined
        resume(Effect.void)
      }
      return Effect.sync(() => {
        this.#listener = undefined
      })
    })
  }
}
