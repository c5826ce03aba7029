import { Effect, Random } from "effect"

/**
 * Waits before the next attempt: a random part of a window that doubles with each failure ("full jitter"), so that
 * many devices that lost the same server don't come back together.
 *
 * @param failures how many attempts failed in a row, at least 1
 */
export const backoffMillis = (
  window: { readonly backoffMinimum: number; readonly backoffMaximum: number },
  failures: number
): Effect.Effect<number> =>
  Effect.map(
    Random.next,
    (random) => random * Math.min(window.backoffMaximum, window.backoffMinimum * 2 ** Math.min(failures - 1, 30))
  )

/** Sleeps for {@link backoffMillis}. */
export const backOff = (
  window: { readonly backoffMinimum: number; readonly backoffMaximum: number },
  failures: number
): Effect.Effect<void> => Effect.flatMap(backoffMillis(window, failures), (millis) => Effect.sleep(millis))
