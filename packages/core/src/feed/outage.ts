import { Effect, Schedule } from "effect"
import type { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"

/** What waiting can mend: a backend that fails, or a stream of wake-ups that ended. */
type Outage = StorageError | "Ended"

const isOutage = (error: unknown): error is Outage =>
  error === "Ended" || (error as { readonly _tag?: unknown } | undefined)?._tag === "StorageError"

/** 100 ms, doubling up to 2 s, with jitter: short enough that readers notice the end of an outage at once. */
const backoff = Schedule.min([Schedule.exponential(100), Schedule.spaced(2_000)]).pipe(Schedule.jittered)

/** Repeats a reader's step until the backend is back: an outage ends no subscription. */
export const retryOutage =
  (what: string, storeId: StoreId) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, Exclude<E, Outage>, R> =>
    effect.pipe(
      Effect.tapError((error) =>
        isOutage(error) && error !== "Ended"
          ? Effect.logWarning(`${what} waits for the backend`, error).pipe(Effect.annotateLogs({ storeId }))
          : Effect.void
      ),
      Effect.retry({ schedule: backoff, while: isOutage })
    ) as Effect.Effect<A, Exclude<E, Outage>, R>
