import type { EventJournal } from "effect/eventlog"
import type { PeerSocket } from "./PeerSocket.ts"

/** What a device does, whichever protocol it speaks. */
export interface Device {
  readonly socket: PeerSocket
  /** Rejects when the proof is refused, or the connection ends. */
  readonly prove: (publicKey: string) => Promise<void>
  /** Resolves when the entries are acked. Rejects when they are refused, or the connection ends. */
  readonly write: (publicKey: string, entries: ReadonlyArray<EventJournal.Entry>) => Promise<void>
  /** Follows the store of a key from its beginning. Resolves when the subscription has ended, for whatever reason. */
  readonly subscribe: (
    publicKey: string,
    onEntries: (ids: ReadonlyArray<EventJournal.EntryId>) => void
  ) => Promise<void>
}
