import { createHash } from "node:crypto"
import type { EventJournal } from "effect/eventlog"
import type { Placed, SeenEntry, StoredEntry } from "./oracle/history.ts"

/** An id as the oracle knows it. */
export const idOf = (id: Uint8Array): string => Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString("hex")

/** What tells a payload from all others. */
export const digestOf = (payload: Uint8Array): string => createHash("sha256").update(payload).digest("hex").slice(0, 16)

/** An entry as the oracle knows it. */
export const seenEntry = ({ event, id, payload, primaryKey }: EventJournal.Entry): SeenEntry => ({
  id: idOf(id),
  event,
  primaryKey,
  digest: digestOf(payload)
})

/** An entry that came over the wire, as the oracle knows it. */
export const placedEntry = ({ entry, remoteSequence }: EventJournal.RemoteEntry): Placed => ({
  sequence: remoteSequence,
  entry: seenEntry(entry)
})

/** An entry that was read from a store, as the oracle knows it. */
export const storedEntry = (stored: {
  readonly remoteSequence: number
  readonly entry: EventJournal.Entry
  readonly author: string | null
  readonly transportOnly: boolean
}): StoredEntry => ({
  sequence: stored.remoteSequence,
  entry: seenEntry(stored.entry),
  author: stored.author,
  transportOnly: stored.transportOnly
})
