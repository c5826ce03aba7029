import { randomUUID } from "node:crypto"
import { type Lease, LeaseLostError, type StorageError, type StoreId } from "@eventlog-server/core"
import { Effect, Option, Schedule, type Scope } from "effect"
import { attempt } from "../errors.ts"
import type { RedisNode } from "../node.ts"
import { run } from "../script.ts"
import { advanceScript, releaseScript, renewScript, takeScript } from "./lease.lua.ts"

/** Renews a lease until it is lost. An outage is no loss: when it is over, the server says which it was. */
const renew = (renewed: Effect.Effect<boolean, StorageError>, leaseMillis: number): Effect.Effect<void> =>
  renewed.pipe(
    Effect.catch((error) => Effect.as(Effect.logWarning("A processing lease could not be renewed", error), true)),
    Effect.delay(leaseMillis / 3),
    Effect.repeat({ while: (isMine) => isMine }),
    Effect.asVoid
  )

/** Gives a lease back as soon as the server answers, unless the node ends before. */
const giveBackLater = (giveBack: Effect.Effect<unknown, StorageError>, node: Scope.Scope): Effect.Effect<unknown> =>
  giveBack.pipe(
    Effect.retry({ schedule: Schedule.spaced(100), while: ({ retryable }) => retryable }),
    Effect.ignore,
    Effect.forkIn(node)
  )

/** Gives a lease back, and waits for it no longer than a shutdown should. What is not given back runs out. */
const giveBackSoon = (giveBack: Effect.Effect<unknown, StorageError>): Effect.Effect<void> =>
  Effect.ignore(Effect.timeoutOption(Effect.interruptible(giveBack), "2 seconds"))

/** Takes the lease of a store for as long as the scope is open. */
export const takeLease = (
  { keys, redis, scope }: RedisNode,
  storeId: StoreId,
  leaseMillis: number
): Effect.Effect<Option.Option<Lease>, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const state = [keys.store(storeId).state]
    const holder = randomUUID()

    const giveBack = attempt("StoreProgress.lease", () => run(redis, releaseScript, state, [holder]))
    const take = attempt("StoreProgress.lease", () => run(redis, takeScript, state, [holder, leaseMillis]))

    const cursor = yield* Effect.acquireRelease(
      // It may have been taken, and the answer lost: then nobody would process the store until it runs out.
      Effect.onError(take, () => giveBackLater(giveBack, scope)),
      () => giveBackSoon(giveBack),
      { interruptible: true }
    )
    if (cursor === null) return Option.none()

    const renewed = attempt("StoreProgress.lease", () => run(redis, renewScript, state, [holder, leaseMillis]))
    yield* Effect.forkScoped(
      renew(
        Effect.map(renewed, (isMine) => Number(isMine) === 1),
        leaseMillis
      )
    )

    return Option.some({
      cursor: Number(cursor),
      advance: (sequence) =>
        Effect.flatMap(
          attempt("StoreProgress.advance", () => run(redis, advanceScript, state, [holder, sequence])),
          (moved) => (Number(moved) === 1 ? Effect.void : Effect.fail(new LeaseLostError({ storeId })))
        )
    })
  })
