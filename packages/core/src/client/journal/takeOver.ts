import type { EventJournal } from "effect/eventlog"
import {
  bytesOf,
  createEntries,
  createIndexes,
  createStores,
  type EntryRow,
  type RemoteRow,
  state,
  stores
} from "./layout.ts"

/** What effect's journal has of a remote: in version 2 how far both ways are, in version 1 nothing that can be used. */
interface Progress {
  readonly remoteId: EventJournal.RemoteId
  readonly sequence?: number
  readonly nextSequence?: number
}

/** A row of the store that version 1 has for each entry of each remote. */
interface Delivered {
  readonly remoteId: EventJournal.RemoteId
  readonly entryId: EventJournal.EntryId
  readonly sequence: number
}

/** Entries that are moved at a time. */
const pageSize = 2_000

/**
 * Makes the stores of a journal, and takes over a database of effect's journal, of either version. All of it is one
 * transaction: a tab that is killed meanwhile leaves the database as it was.
 */
export const takeOver = (db: IDBDatabase, tx: IDBTransaction, from: number): void => {
  if (from === 0) {
    createStores(db)
    createEntries(db)
    return
  }
  const move = new TakeOver(tx)
  if (from === 1) readVersion1(db, tx, move)
  else readVersion2(db, tx, move)
}

const keyOf = (bytes: Uint8Array): string => bytes.join()

/** Gathers what effect's stores say of entries and remotes, and writes it anew. */
class TakeOver {
  readonly #tx: IDBTransaction
  readonly #remotes = new Map<string, RemoteRow>()
  readonly #origins = new Map<string, number>()
  readonly #places = new Map<string, number>()

  constructor(tx: IDBTransaction) {
    this.#tx = tx
  }

  remote({ nextSequence = 0, remoteId, sequence = 0 }: Progress): number {
    const known = this.#remotes.get(keyOf(remoteId))
    const number = known?.number ?? this.#remotes.size + 1
    this.#remotes.set(keyOf(remoteId), {
      remoteId,
      number,
      sentPlace: Math.max(sequence, known?.sentPlace ?? 0),
      nextSequence: Math.max(nextSequence, known?.nextSequence ?? 0)
    })
    return number
  }

  cameFrom(entryId: Uint8Array, remoteId: EventJournal.RemoteId): void {
    this.#origins.set(keyOf(entryId), this.remote({ remoteId }))
  }

  place(entryId: Uint8Array, place: number): void {
    this.#places.set(keyOf(entryId), place)
  }

  /** Entries that have no place yet get theirs in the order of their ids. `last` is the last place of those that have. */
  write(last: number): void {
    const entries = this.#tx.objectStore(stores.entries)
    for (const name of Array.from(entries.indexNames)) entries.deleteIndex(name)
    createIndexes(entries)
    for (const row of this.#remotes.values()) this.#tx.objectStore(stores.remotes).put(row)
    const [remote] = this.#remotes.values()
    if (remote !== undefined) this.#tx.objectStore(stores.state).put(remote.remoteId, state.remote)
    this.#page(entries, undefined, last)
  }

  #page(entries: IDBObjectStore, after: IDBValidKey | undefined, last: number): void {
    const range = after === undefined ? null : IDBKeyRange.lowerBound(after, true)
    const page = entries.getAll(range, pageSize) as IDBRequest<Array<Omit<EntryRow, "origin" | "place">>>
    page.onsuccess = () => {
      let place = last
      for (const row of page.result) {
        const key = keyOf(row.id)
        const own = this.#places.get(key) ?? ++place
        entries.put({ ...row, origin: this.#origins.get(key) ?? 0, place: own } satisfies EntryRow)
      }
      const end = page.result[page.result.length - 1]
      if (page.result.length === pageSize && end !== undefined) this.#page(entries, end.id, place)
      else this.#tx.objectStore(stores.state).put(place, state.place)
    }
  }
}

/** Each entry has a row for each remote, and what was sent is not known: it is sent again, which a server notices. */
const readVersion1 = (db: IDBDatabase, tx: IDBTransaction, move: TakeOver): void => {
  const delivered = tx.objectStore("remotes").getAll() as IDBRequest<Array<Delivered>>
  delivered.onsuccess = () => {
    for (const { entryId, remoteId, sequence } of delivered.result) {
      move.remote({ remoteId, nextSequence: sequence + 1 })
      move.cameFrom(entryId, remoteId)
    }
    db.deleteObjectStore("remotes")
    db.deleteObjectStore("remoteEntryId")
    createStores(db)
    move.write(0)
  }
}

const readVersion2 = (db: IDBDatabase, tx: IDBTransaction, move: TakeOver): void => {
  const progress = tx.objectStore("remoteEntryId").getAll() as IDBRequest<Array<Progress>>
  const sources = tx.objectStore("entrySource").getAll() as IDBRequest<Array<EventJournal.RemoteId>>
  const sourced = tx.objectStore("entrySource").getAllKeys()
  const placed = tx.objectStore("entrySequence").getAll() as IDBRequest<Array<IDBValidKey>>
  const places = tx.objectStore("entrySequence").getAllKeys() as IDBRequest<Array<number>>
  // Requests of a transaction end in their order, so this is the last one.
  places.onsuccess = () => {
    for (const each of progress.result) move.remote(each)
    for (const [index, id] of sourced.result.entries()) move.cameFrom(bytesOf(id), sources.result[index]!)
    for (const [index, place] of places.result.entries()) move.place(bytesOf(placed.result[index]!), place)
    for (const name of ["entrySource", "entrySequence", "remoteEntryId"]) db.deleteObjectStore(name)
    createStores(db)
    move.write(places.result[places.result.length - 1] ?? 0)
  }
}
