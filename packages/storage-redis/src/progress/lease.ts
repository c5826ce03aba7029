import { randomUUID } from "node:crypto"
import { type Lease, LeaseLostError, type StorageError, type StoreId } from "@eventlog-server/core"
import { Effect, Option, type Scope } from "effect"
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

/** Takes the lease of a store for as long as the scope is open. */
export const takeLease = (
  { keys, redis }: Pick<RedisNode, "keys" | "redis">,
  storeId: StoreId,
  leaseMillis: number
): Effect.Effect<Option.Option<Lease>, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const state = [keys.store(storeId).state]
    const holder = randomUUID()

    const cursor = yield* Effect.acquireRelease(
      attempt("StoreProgress.lease", () => run(redis, takeScript, state, [holder, leaseMillis])),
      // Where it can't be given back, it runs out.
      () => Effect.ignore(attempt("StoreProgress.lease", () => run(redis, releaseScript, state, [holder])))
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
