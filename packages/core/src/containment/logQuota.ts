import { Clock, Effect, References, type Scope } from "effect"

/** Lines that are logged of one kind of trouble in a second; the rest is counted. */
export const linesPerSecond = 10

const windowMillis = 1_000

/** Logs trouble that a device can cause once for each of its entries, without letting it fill the app's disk. */
export interface LogQuota {
  /**
   * Runs `line`, which logs, unless `linesPerSecond` lines were logged in this second already: then it is only counted,
   * and one line with the count follows when the second is over.
   */
  readonly log: (line: Effect.Effect<void>) => Effect.Effect<void>
}

/**
 * Makes a quota of its own. What was counted and not told yet is told when the scope closes.
 *
 * @param subject what is counted, such as `"handler failures"`
 */
export const makeLogQuota = Effect.fnUntraced(function* (
  subject: string
): Effect.fn.Return<LogQuota, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  const scope = yield* Effect.scope
  let startedAt = Number.NEGATIVE_INFINITY
  let logged = 0
  let suppressed = 0
  let isTold = true

  const tell = Effect.suspend(() => {
    const count = suppressed
    suppressed = 0
    isTold = true
    return count === 0 ? Effect.void : Effect.logError(`${count} more ${subject} were not logged`)
  }).pipe(
    // The count is about many entries, not about the one that used the quota up.
    Effect.provideService(References.CurrentLogAnnotations, {}),
    // The logger is the app's, and may fail: closing must not.
    Effect.exit,
    Effect.asVoid
  )
  yield* Effect.addFinalizer(() => tell)

  const tellLater = Effect.suspend(() => {
    const rest = startedAt + windowMillis - clock.currentTimeMillisUnsafe()
    return Effect.andThen(Effect.sleep(Math.max(0, rest)), tell)
  })

  return {
    log: (line) =>
      Effect.suspend(() => {
        const now = clock.currentTimeMillisUnsafe()
        // A clock that was set back must not keep the quota used up.
        if (now < startedAt || now - startedAt >= windowMillis) {
          startedAt = now
          logged = 0
        }
        if (logged < linesPerSecond) {
          logged++
          return line
        }
        suppressed++
        if (!isTold) return Effect.void
        isTold = false
        return Effect.asVoid(Effect.forkIn(tellLater, scope))
      })
  }
})
