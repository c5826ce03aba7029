import type { StorageError, StoreId } from "@eventlog-server/core/backend"
import { Clock, Effect, type Latch } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { chunksOf } from "../database/values.ts"
import type { BigInteger } from "../schema/tables.ts"
import type { ActiveStores } from "./ActiveStores.ts"

/** How long is waited between two looks, in milliseconds. */
export interface PollMillis {
  /** While stores change, or somebody has just begun to listen. */
  readonly min: number
  /** After nothing has changed for a while. */
  readonly max: number
}

/** Stores that a statement asks for at most. */
const maxStores = 1_000

/** The share of its time that a node spends on looking, at most: with very many stores it looks less often. */
const maxBusy = 0.1

/** How fast the pauses grow while nothing changes. */
const growth = 1.3

interface StateRow {
  readonly store_id: string
  readonly head: BigInteger
  readonly erased: number
}

/** Looks at every store that somebody listens to, and tells whether one has changed. */
const look = Effect.fnUntraced(function* (
  database: Database,
  stores: ActiveStores
): Effect.fn.Return<boolean, StorageError> {
  const { connection, tables } = database
  let hasChanged = false
  for (const ids of chunksOf(stores.ids, maxStores)) {
    const { rows } = yield* attempt(database, "FeedStore.wakeups", () =>
      sql<StateRow>`select store_id, head, erased from ${tables.stores} where store_id in (${sql.join(ids)})`.execute(
        connection
      )
    )
    for (const { erased, head, store_id } of rows) {
      if (stores.look(store_id as StoreId, { head: Number(head), isErased: erased !== 0 })) hasChanged = true
    }
  }
  return hasChanged
})

/**
 * Looks at the active stores again and again, for ever: often while something happens, seldom while nothing does, and
 * never while nobody listens. What it can't see during an outage it sees afterwards.
 *
 * @param activity opened when something happens; the next look comes soon then
 */
export const poll = Effect.fnUntraced(function* (
  database: Database,
  stores: ActiveStores,
  activity: Latch.Latch,
  pauses: () => PollMillis
): Effect.fn.Return<never> {
  let pause = 0
  while (true) {
    const { max, min } = pauses()
    const isActive = yield* Effect.raceFirst(
      Effect.as(activity.await, true),
      Effect.as(stores.ids.length === 0 ? Effect.never : Effect.sleep(Math.max(min, Math.min(pause, max))), false)
    )
    if (isActive) {
      activity.closeUnsafe()
      pause = min
      yield* Effect.sleep(min)
    }
    const startedAt = yield* Clock.currentTimeMillis
    const hasChanged = yield* look(database, stores).pipe(
      Effect.catch((error) => Effect.as(Effect.logDebug("Can't look for changes of stores", error), false))
    )
    const took = (yield* Clock.currentTimeMillis) - startedAt
    pause = Math.max(hasChanged ? min : Math.max(pause, min) * growth, took / maxBusy)
  }
})
