import { EventJournal } from "effect/eventlog"
import type { FeedEntry } from "./FeedStore.ts"

/** Copies of entries, whose bytes nobody else holds. All of them share an allocation, which costs more than the copying. */
export const copyEntries = (entries: ReadonlyArray<FeedEntry>): Array<FeedEntry> => {
  if (entries.length === 0) return []
  const size = entries.reduce((sum, { entry }) => sum + entry.id.byteLength + entry.payload.byteLength, 0)
  const bytes = new Uint8Array(size)
  let end = 0
  const copy = (part: Uint8Array): Uint8Array<ArrayBuffer> => {
    const start = end
    end += part.byteLength
    bytes.set(part, start)
    return bytes.subarray(start, end)
  }
  return entries.map(({ author, entry: { event, id, payload, primaryKey }, remoteSequence, transportOnly }) => ({
    remoteSequence,
    author,
    transportOnly,
    // Any option makes effect's constructor slower.
    entry: new EventJournal.Entry({ id: copy(id) as EventJournal.EntryId, event, primaryKey, payload: copy(payload) })
  }))
}
