import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import type { StoreId } from "../backend/StoreId.ts"

const utf8 = new TextEncoder()

/**
 * The id by which a journal knows a store: the first 16 bytes of SHA-256 of the store id in UTF-8. All devices of a store
 * and the server write to one history, so they share it.
 */
export const storeRemoteId = (storeId: StoreId): Effect.Effect<EventJournal.RemoteId> =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", utf8.encode(storeId))),
    (digest) => EventJournal.RemoteId.make(new Uint8Array(digest.slice(0, 16)))
  )
