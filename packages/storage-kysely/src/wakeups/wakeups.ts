import type { StoreId } from "@eventlog-server/core"
import { Effect, Latch, type Scope, type Stream } from "effect"
import type { Database } from "../database/Database.ts"
import { ActiveStores } from "./ActiveStores.ts"
import { keepListening, type Listen } from "./listen.ts"
import { makeNotifier } from "./notifier.ts"
import { type PollMillis, poll } from "./poll.ts"

/** How a node learns that a store changed. */
export interface Wakeups {
  /** `FeedStore.wakeups`. */
  readonly of: (storeId: StoreId) => Stream.Stream<void>
  /** This node changed the store: tells those who listen here at once, and other processes soon. */
  readonly changed: (storeId: StoreId) => void
}

/** What wake-ups are made of. */
export interface WakeupOptions {
  readonly listen: Listen | undefined
  readonly channel: string
  readonly poll: PollMillis
  readonly pollWhileListening: number
}

/** Wake-ups of a node, until the scope closes: one connection or one poll, however many stores are listened to. */
export const makeWakeups = Effect.fnUntraced(function* (
  database: Database,
  { channel, listen, poll: pauses, pollWhileListening }: WakeupOptions
): Effect.fn.Return<Wakeups, never, Scope.Scope> {
  const { notify } = database.dialect
  const activity = Latch.makeUnsafe(false)
  const stores = new ActiveStores(() => activity.openUnsafe())
  let isListening = false
  let tell = (_storeId: StoreId): void => {}
  if (listen !== undefined && notify !== undefined) {
    const notifier = yield* makeNotifier(database, notify, channel)
    tell = notifier.changed
    yield* Effect.forkScoped(notifier.run)
    yield* Effect.forkScoped(
      keepListening(listen, channel, stores, (state) => {
        isListening = state
        activity.openUnsafe()
      })
    )
  }
  yield* Effect.forkScoped(
    poll(database, stores, activity, () =>
      isListening ? { min: pollWhileListening, max: pollWhileListening } : pauses
    )
  )
  return {
    of: (storeId) => stores.wakeups(storeId),
    changed: (storeId) => {
      stores.changed(storeId)
      tell(storeId)
    }
  }
})
