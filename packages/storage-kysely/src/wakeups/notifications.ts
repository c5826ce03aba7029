import type { AccessListeners, StoreId, Wakeup } from "@eventlog-server/core/backend"
import { Effect, type Scope } from "effect"
import { attempt, type Database } from "../database/Database.ts"
import type { Writes } from "../dialects/Writes.ts"
import type { ActiveStores } from "./ActiveStores.ts"
import { accessChannelOf, changeOf } from "./accessNotes.ts"
import { Echo } from "./Echo.ts"
import { keepListening, type Listen } from "./listen.ts"
import { makeNotifier } from "./notifier.ts"
import { noteOf, notesChannelOf, payloadOf } from "./storeNotes.ts"

/** What a node needs to tell others, and to hear of them. */
export interface NotificationOptions {
  readonly listen: Listen
  readonly notify: NonNullable<Writes["notify"]>
  readonly channel: string
  /** Those on this node who are told what is heard. */
  readonly stores: ActiveStores
  readonly access: AccessListeners
  /** Told when the node hears of changes, and when it no longer does. */
  readonly onChange: (isListening: boolean) => void
}

/**
 * Listens for what other nodes tell, until the scope closes, and returns how they are told. A node heeds nothing of its own:
 * its listeners knew it before. When a connection was lost every store may have changed, and every key.
 */
export const makeNotifications = Effect.fnUntraced(function* (
  database: Database,
  { access, channel, listen, notify, onChange, stores }: NotificationOptions
): Effect.fn.Return<(storeId: StoreId, wakeup: Wakeup) => void, never, Scope.Scope> {
  const node = crypto.randomUUID()
  const notesChannel = notesChannelOf(channel)
  const send = (payloads: ReadonlyArray<string>) => database.run(notify(notesChannel, payloads))
  const echo = new Echo(attempt(database, "FeedStore.wakeups", () => send([node])))
  const hear = (payload: string) => {
    if (payload === node) return echo.hear()
    const note = noteOf(payload)
    if (note === undefined || note.node === node) return
    stores.wake(note.storeId, note.head === undefined ? {} : { head: note.head })
  }
  const notifier = yield* makeNotifier(database, {
    send,
    payloadOf: (storeId, { head }) => payloadOf({ node, storeId, head })
  })
  yield* Effect.forkScoped(notifier.run)
  yield* Effect.forkScoped(
    keepListening({
      listen,
      channels: new Map([
        [notesChannel, hear],
        // Nodes of the former version.
        [channel, (payload) => stores.wake(payload as StoreId)],
        [accessChannelOf(channel), (payload) => access.tell(changeOf(payload))]
      ]),
      onBegin: () => {
        stores.wakeAll()
        access.tell("any")
      },
      isHearing: echo.isHeard,
      onChange
    })
  )
  return notifier.changed
})
