import { Effect, Random } from "effect"

/** Windows of waiting, in milliseconds. */
export interface BackoffWindow {
  readonly backoffMinimum: number
  readonly backoffMaximum: number
  /** The least that a window is, within the maximum. @default 0 */
  readonly spread?: number | undefined
}

/**
 * Waits before the next attempt: a random part of a window that doubles with each failure ("full jitter"), so that
 * many devices that lost the same server don't come back together.
 *
 * @param failures how many attempts failed in a row, at least 1
 */
export const backoffMillis = (
  { backoffMaximum, backoffMinimum, spread = 0 }: BackoffWindow,
  failures: number
): Effect.Effect<number> =>
  Effect.map(
    Random.next,
    (random) => random * Math.min(backoffMaximum, Math.max(spread, backoffMinimum * 2 ** Math.min(failures - 1, 30)))
  )

/** Sleeps for {@link backoffMillis}. */
export const backOff = (window: BackoffWindow, failures: number): Effect.Effect<void> =>
  Effect.flatMap(backoffMillis(window, failures), (millis) => Effect.sleep(millis))
