import { Clock, Effect, Exit, type Fiber } from "effect"
import type { Outcome } from "../containment/runDetached.ts"
import { Timeouts } from "../containment/Timeouts.ts"

/** How long a handler may run, in milliseconds, before it counts as slow: longer than any that only computes should. */
const slowMillis = 100

/** Why a handler isn't waited for any longer. */
export type GivenUp = "TimedOut" | "Abandoned"

/** What became of a handler, or of what it is to be told of. */
export type Ended<A, E> = Outcome<A, E, GivenUp>

/** The time that handlers have which don't return at once. All of them share their timers. */
export interface HandlerTime {
  /**
   * Waits for something of the app's that didn't end at once, until its time is up, or processing is abandoned: then it is
   * interrupted, as it is when the caller is, and not waited for.
   *
   * @param slow done when it took longer than 100 ms
   */
  readonly waitFor: <A, E>(work: Fiber.Fiber<A, E>, slow: Effect.Effect<void>) => Effect.Effect<Ended<A, E>>
  /** Waits for nothing any longer. */
  readonly abandon: () => void
}

/** @param handlerTimeout milliseconds */
export const makeHandlerTime = (handlerTimeout: number): Effect.Effect<HandlerTime> =>
  Effect.gen(function* () {
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const clock = yield* Clock.Clock
    const slows = new Timeouts({ millis: slowMillis, clock, run })
    const lates = new Timeouts({ millis: handlerTimeout, clock, run })
    const waiting = new Set<() => void>()
    let isAbandoned = false

    const waitFor = <A, E>(work: Fiber.Fiber<A, E>, slow: Effect.Effect<void>) =>
      Effect.callback<Ended<A, E>>((resume) => {
        const end = (outcome: Ended<A, E>) => {
          stop()
          resume(Exit.succeed(outcome))
        }
        const giveUp = (reason: GivenUp) => {
          // First, since an interrupted run is done, too.
          end({ _tag: "GaveUp", reason })
          work.interruptUnsafe()
        }
        const onSlow = () => void run(slow)
        const onLate = () => giveUp("TimedOut")
        const onAbandon = () => giveUp("Abandoned")
        const stop = () => {
          slows.cancel(onSlow)
          lates.cancel(onLate)
          waiting.delete(onAbandon)
        }
        if (isAbandoned) return onAbandon()
        waiting.add(onAbandon)
        if (handlerTimeout > slowMillis) slows.start(onSlow)
        lates.start(onLate)
        work.addObserver((exit) => end({ _tag: "Done", exit }))
        return Effect.sync(() => {
          stop()
          work.interruptUnsafe()
        })
      })

    return {
      waitFor,
      abandon: () => {
        isAbandoned = true
        for (const onAbandon of waiting) onAbandon()
        slows.stop()
        lates.stop()
      }
    }
  })
