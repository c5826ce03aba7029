import type { StoreId } from "@eventlog-server/core"
import { Effect, Queue } from "effect"
import { attempt, type Database } from "../database/Database.ts"
import { chunksOf } from "../database/values.ts"

/** Stores that are told of in one statement, at most. */
const maxStores = 1_000

/** Tells other processes which stores this one changed. */
export interface Notifier {
  readonly changed: (storeId: StoreId) => void
  /** Tells, for ever. */
  readonly run: Effect.Effect<never>
}

/**
 * Notifications are sent behind the commits that they tell of, those of many commits together: PostgreSQL lets
 * transactions that notify commit one after the other, whichever store they write to. What is lost so, because a process
 * ends in between or the database is away, the others find when they look for themselves.
 */
export const makeNotifier = (
  database: Database,
  notify: NonNullable<Database["dialect"]["notify"]>,
  channel: string
): Effect.Effect<Notifier> =>
  Effect.map(Queue.dropping<void>(1), (signal) => {
    let changed = new Set<StoreId>()
    const tell = Effect.suspend(() => {
      const storeIds = Array.from(changed)
      changed = new Set()
      return Effect.forEach(chunksOf(storeIds, maxStores), (chunk) =>
        attempt(database, "FeedStore.append", () => notify(channel, chunk).execute(database.connection))
      )
    }).pipe(Effect.catch((error) => Effect.logDebug("Can't notify of changes", error)))
    return {
      changed: (storeId) => {
        changed.add(storeId)
        Queue.offerUnsafe(signal, undefined)
      },
      run: Effect.forever(Effect.andThen(Queue.take(signal), tell))
    }
  })
