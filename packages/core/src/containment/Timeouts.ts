import { Clock, Effect, type Fiber, type Scope } from "effect"

/** What timeouts go by. */
export interface TimeoutsOptions {
  readonly millis: number
  readonly clock: Clock.Clock
  /** Runs what waits for the time to be over. */
  readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
}

/**
 * Calls back when something took longer than a time that is the same for all: then the first that began is the first whose
 * time is over, and one timer does for however many there are.
 */
export class Timeouts {
  readonly #options: TimeoutsOptions
  readonly #nanos: bigint
  /** When the time of each is over, in nanoseconds, in that order. */
  readonly #ends = new Map<() => void, bigint>()
  #waiting: Fiber.Fiber<void> | undefined

  constructor(options: TimeoutsOptions) {
    this.#options = options
    this.#nanos = BigInt(Math.ceil(options.millis * 1_000_000))
  }

  /** Calls back, once, unless it is cancelled before. What it calls may not throw, and is cancelled by itself. */
  start(onTimeout: () => void): void {
    this.#ends.set(onTimeout, this.#now + this.#nanos)
    if (this.#waiting === undefined) this.#waiting = this.#options.run(this.#wait)
  }

  cancel(onTimeout: () => void): void {
    this.#ends.delete(onTimeout)
  }

  /** Calls nobody back any more, and leaves no timer behind. */
  stop(): void {
    this.#ends.clear()
    this.#waiting?.interruptUnsafe()
  }

  get #now(): bigint {
    return this.#options.clock.monotonicTimeNanosUnsafe()
  }

  get #wait(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (let next = this.#next; next !== undefined; next = this.#next) {
        const [onTimeout, end] = next
        const rest = end - this.#now
        // Others may end meanwhile: whose time is over is looked for again.
        if (rest > 0n) yield* Effect.sleep(Math.ceil(Number(rest) / 1_000_000))
        else {
          this.#ends.delete(onTimeout)
          onTimeout()
        }
      }
      this.#waiting = undefined
    })
  }

  get #next(): readonly [() => void, bigint] | undefined {
    const [next] = this.#ends
    return next
  }
}

/** Makes timeouts that go by the clock in force, until the scope closes: then nobody is called back any more. */
export const makeTimeouts = (millis: number): Effect.Effect<Timeouts, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const run = Effect.runForkWith(yield* Effect.context<never>())
      return new Timeouts({ millis, clock: yield* Clock.Clock, run })
    }),
    (timeouts) => Effect.sync(() => timeouts.stop())
  )
