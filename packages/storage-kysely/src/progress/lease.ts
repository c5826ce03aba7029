import type { Lease, StorageError, StoreId } from "@eventlog-server/core/backend"
import { Clock, Effect, Option, Schedule, type Scope } from "effect"
import { beforeLeaving, type Database } from "../database/Database.ts"
import { makeAdvance } from "./advance.ts"
import { type Held, type LeaseUpdates, makeLeaseUpdates } from "./leaseUpdates.ts"
import { makeRewind } from "./rewind.ts"

/** What leases are made of. */
interface Parts {
  readonly leaseMillis: number
  readonly updates: LeaseUpdates
}

/**
 * How long until a lease is renewed: a third of its time at most. The clock is at a whole multiple of a sixtieth of that time
 * then, as it is for others that were taken at about the same time: so these are renewed together. More of them together would
 * be a burst that writes have to wait for: with a twelfth the slowest of a hundred waited 86 ms where 2,000 leases were held.
 */
const renewalPause = (leaseMillis: number): Effect.Effect<number> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const step = leaseMillis / 60
    return Math.floor((now + leaseMillis / 3) / step) * step - now
  })

/** Keeps a lease alive until it is lost. While the database is away there is nothing to do but to try again. */
const keep = ({ leaseMillis, updates }: Parts, held: Held): Effect.Effect<void> =>
  Effect.gen(function* () {
    let isAway = false
    while (true) {
      yield* Effect.sleep(isAway ? leaseMillis / 30 : yield* renewalPause(leaseMillis))
      const renewed = yield* Effect.option(updates.renew(held))
      isAway = Option.isNone(renewed)
      if (Option.isSome(renewed) && !renewed.value) return
    }
  })

/**
 * Gives back a lease that may have been taken, though nobody was told so: as soon as the database answers again, and at
 * the latest when it has run out anyway.
 */
const giveBackUnknown = ({ leaseMillis, updates }: Parts, held: Held): Effect.Effect<void> =>
  updates
    .free(held)
    .pipe(
      Effect.retry(Schedule.spaced(Math.min(1_000, leaseMillis / 10))),
      Effect.timeoutOption(leaseMillis),
      Effect.interruptible,
      Effect.forkDetach,
      Effect.asVoid
    )

/** How long giving a lease back may take; where that fails it runs out by itself. */
const releaseMillis = 5_000

/** Adds to a lease, by the token that it is held by. */
export type ExtendLease = (lease: Omit<Lease, "transaction">, storeId: StoreId, token: string) => Lease

/** `StoreProgress.lease`. */
export const makeLease = (
  database: Database,
  leaseMillis: number,
  extend: ExtendLease
): ((storeId: StoreId) => Effect.Effect<Option.Option<Lease>, StorageError, Scope.Scope>) => {
  const parts: Parts = { leaseMillis, updates: makeLeaseUpdates(database, leaseMillis) }
  const { free, take } = parts.updates
  return Effect.fnUntraced(function* (storeId) {
    const held: Held = { storeId, token: crypto.randomUUID() }
    const taken = Effect.tapError(take(held), () => giveBackUnknown(parts, held))
    const cursor = yield* Effect.acquireRelease(taken, (cursor) =>
      Option.isNone(cursor) ? Effect.void : beforeLeaving(free(held), releaseMillis)
    )
    if (Option.isNone(cursor)) return Option.none()
    yield* Effect.forkScoped(keep(parts, held))
    const lease = {
      ...cursor.value,
      advance: makeAdvance(database, parts.updates, held),
      rewind: makeRewind(database, held)
    }
    return Option.some(extend(lease, storeId, held.token))
  })
}
