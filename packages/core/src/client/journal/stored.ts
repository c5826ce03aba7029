import { EventJournal } from "effect/eventlog"
import { bytesOf, type EntryRow, fromRow, indexes, stores } from "./layout.ts"

type Entry = EventJournal.Entry
type EntryId = EventJournal.EntryId

/**
 * How many more entries are read than are wanted, at most, for the sake of reading them at once: one request for many rows
 * costs what a few requests for one row do.
 */
const spare = 4

const greatestId = new Uint8Array(16).fill(0xff)

/** The greatest id of a journal; `undefined` in an empty one. */
export const readLatestId = (tx: IDBTransaction, done: (id: EntryId | undefined) => void): void => {
  const request = tx.objectStore(stores.entries).openKeyCursor(null, "prev")
  request.onsuccess = () => done(request.result === null ? undefined : bytesOf(request.result.primaryKey))
}

/** Which of these ids, in rising order and at least one, a journal has: each by its bytes in text. */
export const readKnown = (tx: IDBTransaction, ids: ReadonlyArray<EntryId>): ReadonlySet<string> => {
  const known = new Set<string>()
  const entries = tx.objectStore(stores.entries)
  const add = (key: IDBValidKey) => {
    known.add(keyOf(bytesOf(key)))
  }
  readLatestId(tx, (latest) => {
    // A history that arrives in its order is newer than all that is here: nothing has to be looked up.
    if (latest === undefined || indexedDB.cmp(ids[0]!, latest) > 0) return
    const range = IDBKeyRange.bound(ids[0], ids[ids.length - 1])
    const count = entries.count(range)
    count.onsuccess = () => {
      if (count.result <= spare * ids.length) {
        const keys = entries.getAllKeys(range)
        keys.onsuccess = () => {
          for (const key of keys.result) add(key)
        }
        return
      }
      for (const id of ids) {
        const key = entries.getKey(id)
        key.onsuccess = () => {
          if (key.result !== undefined) add(key.result)
        }
      }
    }
  })
  return known
}

/** An id as text, for sets and maps. */
export const keyOf = (id: Uint8Array): string => id.join()

/** Entries by event and primary key. */
interface Group {
  readonly event: string
  readonly primaryKey: string
}

/** The stored entries, of the event and primary key of one of these, whose ids are above `floor`; and some others. */
export const readNewer = (tx: IDBTransaction, floor: EntryId, groups: ReadonlyArray<Group>): ReadonlyArray<Entry> => {
  const found: Array<Entry> = []
  const entries = tx.objectStore(stores.entries)
  const add = (rows: ReadonlyArray<EntryRow>) => {
    for (const row of rows) found.push(fromRow(row))
  }
  const range = IDBKeyRange.lowerBound(floor, true)
  const count = entries.count(range)
  count.onsuccess = () => {
    if (count.result === 0) return
    if (count.result <= spare * groups.length) {
      const rows = entries.getAll(range) as IDBRequest<Array<EntryRow>>
      rows.onsuccess = () => add(rows.result)
      return
    }
    for (const { event, primaryKey } of groups) {
      const own = IDBKeyRange.bound([event, primaryKey, floor], [event, primaryKey, greatestId], true)
      const rows = entries.index(indexes.conflict).getAll(own) as IDBRequest<Array<EntryRow>>
      rows.onsuccess = () => add(rows.result)
    }
  }
  return found
}

/** Which origins a reading is of, and behind which place. */
interface Reading {
  readonly origins: ReadonlyArray<number>
  readonly after: number
}

const rangesOf = ({ after, origins }: Reading): ReadonlyArray<IDBKeyRange> =>
  origins.map((origin) => IDBKeyRange.bound([origin, after], [origin, Number.POSITIVE_INFINITY], true))

/** The entries of some origins behind a place, in the order of their ids. */
export const readUnsent = (tx: IDBTransaction, reading: Reading): ReadonlyArray<Entry> => {
  const found: Array<Entry> = []
  readUnsentIds(tx, reading, (ids) => {
    if (ids.length === 0) return
    const entries = tx.objectStore(stores.entries)
    const range = IDBKeyRange.bound(ids[0], ids[ids.length - 1])
    const count = entries.count(range)
    count.onsuccess = () => {
      // What a device wrote without a connection lies together: read so it takes half the time of reading by the index.
      if (count.result > spare * ids.length) return readRows(entries, ids, found)
      const wanted = new Set(ids.map(keyOf))
      const rows = entries.getAll(range) as IDBRequest<Array<EntryRow>>
      rows.onsuccess = () => {
        for (const row of rows.result) if (wanted.has(keyOf(row.id))) found.push(fromRow(row))
      }
    }
  })
  return found
}

const readRows = (entries: IDBObjectStore, ids: ReadonlyArray<EntryId>, found: Array<Entry>): void => {
  for (const id of ids) {
    const row = entries.get(id) as IDBRequest<EntryRow>
    row.onsuccess = () => found.push(fromRow(row.result))
  }
}

/** Their ids, in their order. */
export const readUnsentIds = (
  tx: IDBTransaction,
  reading: Reading,
  done: (ids: ReadonlyArray<EntryId>) => void
): void => {
  const requests = rangesOf(reading).map((range) =>
    tx.objectStore(stores.entries).index(indexes.origin).getAllKeys(range)
  )
  // Requests of a transaction end in their order, so all have with the last one.
  const last = requests[requests.length - 1]
  if (last === undefined) return
  last.onsuccess = () => {
    const ids = requests.flatMap(({ result }) => result.map(bytesOf))
    done(ids.sort(EventJournal.EntryIdOrder))
  }
}
