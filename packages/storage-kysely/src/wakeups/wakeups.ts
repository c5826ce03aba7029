import { AccessListeners, type StoreId, type Wakeup } from "@eventlog-server/core/backend"
import { Effect, Latch, type Scope, type Stream } from "effect"
import type { Database } from "../database/Database.ts"
import { ActiveStores } from "./ActiveStores.ts"
import { type AccessNotes, accessChannelOf, payloadOf } from "./accessNotes.ts"
import type { Listen } from "./listen.ts"
import { makeNotifications } from "./notifications.ts"
import { type PollMillis, poll } from "./poll.ts"
import { pollAccess } from "./pollAccess.ts"

/**
 * How long is waited between two looks for keys whose access changed, in milliseconds: who lost it must have lost it within
 * a second.
 */
const accessPause = 400

/** How a node learns that a store, or a key, changed. */
export interface Wakeups {
  /** `FeedStore.wakeups`. */
  readonly of: (storeId: StoreId) => Stream.Stream<Wakeup>
  /** This node changed the store: tells those who listen here at once, and other processes soon. */
  readonly changed: (storeId: StoreId, wakeup?: Wakeup) => void
  readonly access: AccessNotes
}

/** What wake-ups are made of. */
export interface WakeupOptions {
  readonly listen: Listen | undefined
  readonly channel: string
  readonly poll: PollMillis
  readonly pollWhileListening: number
}

/** Wake-ups of a node, until the scope closes: one connection or one poll, however many stores and keys are listened to. */
export const makeWakeups = Effect.fnUntraced(function* (
  database: Database,
  { channel, listen, poll: pauses, pollWhileListening }: WakeupOptions
): Effect.fn.Return<Wakeups, never, Scope.Scope> {
  const { notify } = database.dialect.writes
  const activity = Latch.makeUnsafe(false)
  const stores = new ActiveStores(() => activity.openUnsafe())
  const listeners = new AccessListeners()
  let isListening = false
  let tell = (_storeId: StoreId, _wakeup: Wakeup): void => {}
  let access: AccessNotes = { listeners }
  if (listen !== undefined && notify !== undefined) {
    access = { listeners, notify: (publicKey) => notify(accessChannelOf(channel), [payloadOf(publicKey)]) }
    const onChange = (state: boolean) => {
      isListening = state
      activity.openUnsafe()
    }
    tell = yield* makeNotifications(database, { listen, notify, channel, stores, access: listeners, onChange })
  }
  yield* Effect.forkScoped(
    poll(database, stores, activity, () =>
      isListening ? { min: pollWhileListening, max: pollWhileListening } : pauses
    )
  )
  yield* Effect.forkScoped(pollAccess(database, listeners, () => (isListening ? pollWhileListening : accessPause)))
  return {
    access,
    of: (storeId) => stores.wakeups(storeId),
    changed: (storeId, wakeup = {}) => {
      stores.changed(storeId, wakeup)
      tell(storeId, wakeup)
    }
  }
})
