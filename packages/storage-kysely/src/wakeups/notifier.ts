import type { StoreId, Wakeup } from "@eventlog-server/core/backend"
import { Effect, Queue } from "effect"
import { attempt, type Database } from "../database/Database.ts"
import { chunksOf } from "../database/values.ts"

/** Notes that are sent in one statement, at most. */
const maxNotes = 1_000

/** How long is waited between two statements that tell, so that what changes meanwhile is told together. */
const pause = "5 millis"

/** Tells other processes which stores this one changed. */
export interface Notifier {
  readonly changed: (storeId: StoreId, wakeup: Wakeup) => void
  /** Tells, for ever. */
  readonly run: Effect.Effect<never>
}

/** What a notifier tells by. */
export interface NotifierOptions {
  /** Sends notes to all who listen. */
  readonly send: (payloads: ReadonlyArray<string>) => Promise<unknown>
  readonly payloadOf: (storeId: StoreId, wakeup: Wakeup) => string
}

/** What is told of a store that changed twice: to look, or the head that it has come to. */
const latest = (before: Wakeup = { head: 0 }, { head }: Wakeup): Wakeup =>
  before.head === undefined || head === undefined ? {} : { head: Math.max(before.head, head) }

/**
 * Notifications are sent behind the commits that they tell of, those of many commits together: PostgreSQL lets
 * transactions that notify commit one after the other, whichever store they write to. What is lost so, because a process
 * ends in between or the database is away, the others find when they look for themselves.
 */
export const makeNotifier = (database: Database, { payloadOf, send }: NotifierOptions): Effect.Effect<Notifier> =>
  Effect.map(Queue.dropping<void>(1), (signal) => {
    let changed = new Map<StoreId, Wakeup>()
    const tell = Effect.suspend(() => {
      const payloads = Array.from(changed, ([storeId, wakeup]) => payloadOf(storeId, wakeup))
      changed = new Map()
      return Effect.forEach(chunksOf(payloads, maxNotes), (chunk) =>
        attempt(database, "FeedStore.append", () => send(chunk))
      )
    }).pipe(Effect.catch((error) => Effect.logDebug("Can't notify of changes", error)))
    return {
      changed: (storeId, wakeup) => {
        changed.set(storeId, latest(changed.get(storeId), wakeup))
        Queue.offerUnsafe(signal, undefined)
      },
      run: Queue.take(signal).pipe(Effect.andThen(tell), Effect.andThen(Effect.sleep(pause)), Effect.forever)
    }
  })
