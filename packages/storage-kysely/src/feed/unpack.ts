import type { FeedEntry } from "@eventlog-server/core/backend"
import { EventJournal } from "effect/eventlog"
import { ownBytes, toNumber } from "../database/values.ts"
import type { PackedRow } from "../dialects/Pack.ts"

/** An element of `PackedRow.packed_entries`. */
type PackedEntry = readonly [
  sequence: number,
  event: string,
  primaryKey: string,
  author: string | null,
  transportOnly: number,
  length: number
]

const idLength = 16

/**
 * The entries of a packed row. Their payloads share the memory that they came in, since one of its own for each would cost
 * more than all the rest; ids are copies, because who remembers the place of an entry remembers its id, and nothing else of it.
 */
export const unpack = ({ packed_bytes, packed_entries }: PackedRow): Array<FeedEntry> => {
  if (packed_entries === null || packed_bytes === null) return []
  const bytes = ownBytes(packed_bytes)
  let end = 0
  const entries = (JSON.parse(packed_entries) as ReadonlyArray<PackedEntry>).map(
    ([sequence, event, primaryKey, author, transportOnly, length]): FeedEntry => {
      const start = end + idLength
      const id = bytes.slice(end, start) as EventJournal.EntryId
      end = start + length
      const payload = bytes.subarray(start, end)
      return {
        remoteSequence: toNumber(sequence),
        author,
        transportOnly: transportOnly !== 0,
        entry: new EventJournal.Entry({ id, event, primaryKey, payload })
      }
    }
  )
  if (end !== bytes.byteLength) throw new RangeError(`Packed entries say ${end} bytes, and have ${bytes.byteLength}`)
  return entries
}
