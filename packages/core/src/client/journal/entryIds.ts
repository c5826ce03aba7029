import { EventJournal } from "effect/eventlog"

type EntryId = EventJournal.EntryId

const greatestMillis = 2 ** 48 - 1
/** Version 7, and 12 bits that count. */
const countOf = (id: EntryId): number => ((id[6]! & 0x0f) << 8) | id[7]!

const isAfter = (a: EntryId, b: EntryId): boolean => EventJournal.EntryIdOrder(a, b) > 0

/** The least id of version 7 after another one, with random bytes of its own. */
const after = (floor: EntryId): EntryId => {
  const millis = EventJournal.entryIdMillis(floor)
  // An id of a server's compaction has a later version: none of ours sorts behind it in its millisecond.
  const counts = floor[6]! >> 4 < 7 ? -1 : floor[6]! >> 4 > 7 ? 0xfff : countOf(floor)
  const [at, count] = counts < 0xfff ? [millis, counts + 1] : [millis + 1, 0]
  if (at > greatestMillis) throw new RangeError("No id sorts after the greatest one of the journal")
  const id = EventJournal.makeEntryIdUnsafe({ msecs: at })
  id[6] = 0x70 | (count >> 8)
  id[7] = count & 0xff
  return id
}

/**
 * Makes ids in rising order that sort after `floor` and after all ids that this process made, even where the clock is
 * behind them. Throws a `RangeError` when there are none left.
 */
export const makeEntryIds = (count: number, floor: EntryId | undefined): ReadonlyArray<EntryId> => {
  const ids: Array<EntryId> = []
  let last = floor
  for (let made = 0; made < count; made++) {
    const own = EventJournal.makeEntryIdUnsafe()
    last = last === undefined || isAfter(own, last) ? own : after(last)
    ids.push(last)
  }
  return ids
}
