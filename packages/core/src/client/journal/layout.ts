import { EventJournal } from "effect/eventlog"

/** An entry as it is stored. */
export interface EntryRow {
  readonly id: EventJournal.EntryId
  readonly event: string
  readonly primaryKey: string
  readonly payload: Uint8Array
  /** The number of the remote it came from; 0 is this device. */
  readonly origin: number
  /** Its place among all entries of the journal, as they were committed, from 1. */
  readonly place: number
}

/** What is known of a server. */
export interface RemoteRow {
  readonly remoteId: EventJournal.RemoteId
  /** From 1. */
  readonly number: number
  /** The place up to which it has all entries of other origins. */
  readonly sentPlace: number
  /** The first sequence that it hasn't delivered. */
  readonly nextSequence: number
}

/** Stores of the database. */
export const stores = { entries: "entries", remotes: "remotes", state: "state" } as const

/** Keys of the store `state`. */
export const state = {
  /** The last place that was given away. */
  place: "place",
  /** The `remoteId` of the server that was in use last. */
  remote: "remote"
} as const

/** Indexes of the store `entries`. */
export const indexes = {
  /** By event, primary key and id: what an entry conflicts with. */
  conflict: "conflict",
  /** By origin and place: what a server doesn't have. */
  origin: "origin"
} as const

/** effect's journal has versions 1 and 2 of a database, ours 3. */
export const version = 3

/** Makes the stores of an empty database, besides entries. */
export const createStores = (db: IDBDatabase): void => {
  db.createObjectStore(stores.remotes, { keyPath: "remoteId" })
  db.createObjectStore(stores.state)
}

/** Makes the store of entries. */
export const createEntries = (db: IDBDatabase): void =>
  createIndexes(db.createObjectStore(stores.entries, { keyPath: "id" }))

/** Makes the indexes of entries. */
export const createIndexes = (entries: IDBObjectStore): void => {
  entries.createIndex(indexes.conflict, ["event", "primaryKey", "id"])
  entries.createIndex(indexes.origin, ["origin", "place"])
}

/** Bytes alone in their buffer: a structured clone takes the whole buffer along, which may be that of a frame. */
const alone = <A extends Uint8Array>(bytes: A): A =>
  bytes.byteLength === bytes.buffer.byteLength ? bytes : (bytes.slice() as A)

/** The row of an entry. */
export const toRow = (entry: EventJournal.Entry, origin: number, place: number): EntryRow => ({
  id: alone(entry.id),
  event: entry.event,
  primaryKey: entry.primaryKey,
  payload: alone(entry.payload),
  origin,
  place
})

/** The entry of a row. Rows are written by `toRow`, so they are not checked again. */
export const fromRow = ({ event, id, payload, primaryKey }: EntryRow): EventJournal.Entry =>
  new EventJournal.Entry({ id, event, primaryKey, payload }, { disableChecks: true })

/** The bytes of a key that a store gives back. */
export const bytesOf = (key: IDBValidKey): EventJournal.EntryId =>
  (ArrayBuffer.isView(key)
    ? new Uint8Array(key.buffer, key.byteOffset, key.byteLength)
    : new Uint8Array(key as ArrayBuffer)) as EventJournal.EntryId
