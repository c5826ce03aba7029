import { Effect, Random } from "effect"
import type { RetryMillis } from "./options.ts"

/** Waits before attempt number `attempt` (from 0): a delay that doubles up to `max`, half of it at random. */
export const backOff = ({ max, min }: RetryMillis, attempt: number): Effect.Effect<void> => {
  const delay = Math.min(max, min * 2 ** Math.min(attempt, 30))
  return Effect.flatMap(Random.next, (random) => Effect.sleep(delay * (0.5 + random / 2)))
}
