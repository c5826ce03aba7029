import { Cause, Effect, Option } from "effect"
import type { StoreErasedError } from "../backend/StorageError.ts"
import type { ActiveStore } from "./activeStore.ts"
import { backOff } from "./backoff.ts"
import type { Environment } from "./environment.ts"
import { readHead } from "./head.ts"
import { type Held, hold } from "./holder.ts"
import { untilAnswered } from "./outage.ts"

/** How an attempt at a store ended; `Blocked`: somebody else holds the lease, or took it. */
type Attempt = Held | "Blocked"

/** Goes on with `instead` after a defect: a port that breaks its word must not end a store's processing for good. */
const surviving =
  <B>(instead: B) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A | B, E, R> =>
    Effect.catchCauseIf(
      effect,
      (cause) => Cause.hasDies(cause),
      (cause) => Effect.as(Effect.logError("Processing failed unexpectedly", cause), instead)
    )

/** Takes the lease, in a turn, and processes what there is. */
const attend = (environment: Environment, store: ActiveStore): Effect.Effect<Attempt, StoreErasedError> =>
  Effect.gen(function* () {
    const { options, progress, turns } = environment
    const turn = yield* turns.join
    // A store that waits for the backend doesn't keep others waiting.
    const patiently = untilAnswered(options.outageRetry, (pause) =>
      turn.end.pipe(Effect.andThen(pause), Effect.andThen(turn.begin))
    )
    yield* turn.begin
    const lease = yield* patiently(progress.lease(store.storeId))
    if (Option.isNone(lease)) return "Blocked"
    return yield* hold(environment, store, turn, lease.value, patiently)
  }).pipe(
    Effect.scoped,
    // What it was told of is not done.
    Effect.onError(() => Effect.sync(store.nudge)),
    Effect.catchTag("LeaseLostError", (error) =>
      Effect.as(Effect.logWarning("Processing lost its lease", error), "Blocked" as const)
    ),
    surviving("Blocked" as const)
  )

/** Whether the cursor has passed the head as it was when the store was last nudged: somebody else did the work. */
const makeIsDone = (environment: Environment, store: ActiveStore) => {
  const { feeds, options, progress } = environment
  const patiently = untilAnswered(options.outageRetry)
  let target: number | undefined
  return Effect.gen(function* () {
    if (store.isNudged()) target = undefined
    store.quiet()
    target ??= yield* patiently(readHead(feeds, store.storeId))
    const [cursor = 0] = yield* patiently(progress.cursors([store.storeId]))
    return cursor >= target
  }).pipe(surviving(false))
}

/**
 * Looks after a store until it has nothing to do: processes it, or waits until the node that holds its lease has done so
 * or lost it.
 *
 * @param retire leaves, unless the store was nudged meanwhile
 */
export const runStore = Effect.fnUntraced(
  function* (environment: Environment, store: ActiveStore, retire: () => boolean) {
    const isDone = makeIsDone(environment, store)
    // Whoever told of a commit goes on first.
    yield* Effect.yieldNow
    let attempt = 0
    while (true) {
      const outcome = yield* attend(environment, store)
      if (outcome === "Stopped") return
      const isFinished = outcome === "AtHead" || (yield* isDone)
      if (isFinished && retire()) return
      if (outcome === "Blocked") yield* backOff(environment.options.leaseRetry, attempt++)
      else attempt = 0
    }
  },
  Effect.catchTag("StoreErasedError", () => Effect.void),
  (effect, _environment, { storeId }) => Effect.annotateLogs(effect, { storeId })
)
