import { Effect } from "effect"

interface Waiting {
  readonly cursor: number
  readonly go: () => void
}

/** So many at a time. Of those who wait the one with the lowest cursor is next: it lacks most. */
export class OldestFirst {
  #free: number
  /** The lowest cursor comes last. */
  readonly #waiting: Array<Waiting> = []

  constructor(places: number) {
    this.#free = places
  }

  /** Runs an effect when it is its turn. */
  take<A, E>(cursor: number, effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.andThen(
        restore(this.#turn(cursor)),
        Effect.ensuring(
          restore(effect),
          Effect.sync(() => this.#giveBack())
        )
      )
    )
  }

  #turn(cursor: number): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.#free > 0) {
        this.#free--
        return resume(Effect.void)
      }
      let isHanded = false
      const waiting: Waiting = {
        cursor,
        go: () => {
          isHanded = true
          resume(Effect.void)
        }
      }
      const place = this.#waiting.findIndex((other) => other.cursor <= cursor)
      this.#waiting.splice(place === -1 ? this.#waiting.length : place, 0, waiting)
      return Effect.sync(() => {
        // An interruption that came together with the turn passes it on.
        if (isHanded) return this.#giveBack()
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
      })
    })
  }

  #giveBack(): void {
    const next = this.#waiting.pop()
    if (next === undefined) this.#free++
    else next.go()
  }
}
