import { randomUUID } from "node:crypto"
import { type Lease, LeaseLostError, type StorageError, type StoreId } from "@eventlog-server/core/backend"
import { Clock, Effect, Option, Schedule, type Scope } from "effect"
import { attempt, orLost } from "../errors.ts"
import { knownArguments } from "../feed/known.ts"
import type { RedisNode } from "../node.ts"
import { run } from "../script.ts"
import { advanceScript, releaseScript, renewScript, rewindScript, takeScript, wantRewoundScript } from "./lease.lua.ts"

/** Waits for the next moment at which leases are renewed: all leases of a node at the same ones, so that they go together. */
const untilRenewal = (leaseMillis: number): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sleep(leaseMillis / 3 - (now % (leaseMillis / 3))))

/** Renews a lease until it is lost. An outage is no loss: when it is over, the server says which it was. */
const renew = (renewed: Effect.Effect<boolean, StorageError>, leaseMillis: number): Effect.Effect<void> =>
  Effect.andThen(untilRenewal(leaseMillis), renewed).pipe(
    Effect.catch((error) => Effect.as(Effect.logWarning("A processing lease could not be renewed", error), true)),
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
  { calls, keys, redis, scope }: RedisNode,
  storeId: StoreId,
  leaseMillis: number
): Effect.Effect<Option.Option<Lease>, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const { failures, ids, retries, state: stateKey } = keys.store(storeId)
    const state = [stateKey]
    const holder = randomUUID()

    const giveBack = attempt("StoreProgress.lease", () => calls.run(releaseScript, state, [holder]))
    const take = attempt("StoreProgress.lease", () => calls.run(takeScript, state, [holder, leaseMillis]))

    const taken = yield* Effect.acquireRelease(
      // It may have been taken, and the answer lost: then nobody would process the store until it runs out.
      Effect.onError(take, () => giveBackLater(giveBack, scope)),
      () => giveBackSoon(giveBack),
      { interruptible: true }
    )
    if (taken === null) return Option.none()
    const [cursor, replayTo, rewindTo] = taken as ReadonlyArray<unknown>

    const renewed = attempt("StoreProgress.lease", () => calls.run(renewScript, state, [holder, leaseMillis]))
    yield* Effect.forkScoped(
      renew(
        Effect.map(renewed, (isMine) => Number(isMine) === 1),
        leaseMillis
      )
    )

    return Option.some({
      cursor: Number(cursor),
      replayTo: Number(replayTo),
      rewindTo: rewindTo === null || rewindTo === undefined ? undefined : Number(String(rewindTo)),
      rewind: (work) =>
        work(Effect.exit).pipe(
          Effect.andThen(
            attempt("StoreProgress.rewind", () => run(redis, rewindScript, [...state, failures, retries], [holder]))
          ),
          Effect.flatMap((done) => (Number(done) === 1 ? Effect.void : Effect.fail(new LeaseLostError({ storeId }))))
        ),
      advance: (processed) =>
        Effect.flatMap(
          attempt("StoreProgress.advance", () =>
            calls.run(advanceScript, [...state, ids], [holder, ...knownArguments(processed)])
          ).pipe(orLost(storeId)),
          (moved) => (Number(moved) === 1 ? Effect.void : Effect.fail(new LeaseLostError({ storeId })))
        )
    })
  })

/** `StoreProgress.rewind`. */
export const wantRewound = (
  { behind, keys, redis }: RedisNode,
  storeId: StoreId,
  to: number
): Effect.Effect<void, StorageError> =>
  Effect.asVoid(
    attempt("StoreProgress.rewind", () =>
      behind.whileListed(storeId, (stamp) => run(redis, wantRewoundScript, [keys.store(storeId).state], [stamp, to]))
    )
  )
