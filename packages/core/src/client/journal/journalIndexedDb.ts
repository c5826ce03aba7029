import { Context, Effect, Layer, PubSub, type Scope } from "effect"
import { EventJournal } from "effect/eventlog"
import { type Database, openDatabase } from "../indexedDb.ts"
import { makeBrowserLock } from "./browserLock.ts"
import { DeviceJournal } from "./DeviceJournal.ts"
import { makeEntryIds } from "./entryIds.ts"
import { applyInOrder } from "./inOrder.ts"
import { type EntryRow, fromRow, type RemoteRow, state, stores, toRow, version } from "./layout.ts"
import { keyOf, readKnown, readLatestId, readNewer, readUnsent, readUnsentIds } from "./stored.ts"
import { takeOver } from "./takeOver.ts"

type Journal = EventJournal.EventJournal["Service"]
type Entry = EventJournal.Entry
type RemoteId = EventJournal.RemoteId
type Failure = EventJournal.EventJournalError

/** Which database a journal is in, and how it is kept. */
export interface JournalIndexedDbOptions {
  /** The database's name; one for each store of a device. @default "effect_event_journal", which is effect's */
  readonly database?: string | undefined
  /** Whether the browser is asked to keep what is stored until the user removes it. Firefox asks the user. @default true */
  readonly persist?: boolean | undefined
}

/**
 * effect's `EventJournal` in IndexedDB, for all tabs of an origin: it reads and writes many entries at a time, and finds
 * what is unsent by an index. A database of effect's `layerIndexedDb` is taken over, and can't be opened by that any more.
 *
 * It fails with an `EventJournalError` where the browser has no IndexedDB or no space left (`QuotaExceededError`); a write
 * that fails has written nothing.
 */
export const layerJournalIndexedDb = (
  options: JournalIndexedDbOptions = {}
): Layer.Layer<EventJournal.EventJournal | DeviceJournal, Failure> => Layer.effectContext(make(options))

const make = Effect.fnUntraced(function* ({
  database = "effect_event_journal",
  persist = true
}: JournalIndexedDbOptions): Effect.fn.Return<
  Context.Context<EventJournal.EventJournal | DeviceJournal>,
  Failure,
  Scope.Scope
> {
  const db = yield* openDatabase({ name: database, version, upgrade: takeOver })
  const written = yield* PubSub.unbounded<Entry>()
  const asked = persist ? askToPersist() : Promise.resolve(undefined)
  const journal = new IndexedDbJournal(db, written)
  return Context.make(DeviceJournal, {
    unsent: journal.unsent,
    persisted: Effect.promise(() => asked)
  }).pipe(
    Context.add(
      EventJournal.EventJournal,
      EventJournal.EventJournal.of({
        entries: journal.entries,
        entriesById: (ids) => journal.entriesById(ids),
        write: ({ effect, ...entry }) =>
          journal.writeMany({ entries: [entry], effect: (entries) => effect(entries[0]) }),
        writeMany: (options) => journal.writeMany(options),
        writeFromRemote: (options) => journal.writeFromRemote(options),
        withRemoteUncommited: (remoteId, f) => journal.withRemoteUncommited(remoteId, f),
        writeRemoteAcks: (options) => journal.writeRemoteAcks(options),
        nextRemoteSequence: (remoteId) => journal.nextRemoteSequence(remoteId),
        changes: PubSub.subscribe(written),
        destroy: journal.destroy,
        withLock: makeBrowserLock(database)
      })
    )
  )
})

/** The browser's answer, which may take until the user has decided. */
const askToPersist = async (): Promise<boolean | undefined> => {
  try {
    return await navigator.storage.persist()
  } catch {
    return undefined
  }
}

const all = [stores.entries, stores.remotes, stores.state]

class IndexedDbJournal {
  readonly #db: Database
  readonly #written: PubSub.PubSub<Entry>

  constructor(db: Database, written: PubSub.PubSub<Entry>) {
    this.#db = db
    this.#written = written
  }

  readonly entries: Journal["entries"] = Effect.suspend(() =>
    this.#db.transact([stores.entries], "readonly", (tx) => {
      const rows = tx.objectStore(stores.entries).getAll() as IDBRequest<Array<EntryRow>>
      return () => rows.result.map(fromRow)
    })
  )

  readonly entriesById: Journal["entriesById"] = (ids) =>
    this.#db.transact([stores.entries], "readonly", (tx) => {
      const store = tx.objectStore(stores.entries)
      const rows = ids.map((id) => store.get(id) as IDBRequest<EntryRow | undefined>)
      return () => rows.map(({ result }) => result && fromRow(result))
    })

  readonly writeMany: Journal["writeMany"] = ({ effect, entries }) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(this.#make(entries), (made) =>
        restore(effect(made)).pipe(
          Effect.tap(this.#commit(made)),
          Effect.tap(Effect.suspend(() => PubSub.publishAll(this.#written, made)))
        )
      )
    )

  readonly writeFromRemote: Journal["writeFromRemote"] = Effect.fnUntraced({ self: this }, function* (options) {
    const { duplicateEntries, fresh } = yield* this.#sort(options.entries)
    const compacted = options.compact === undefined ? fresh.map(({ entry }) => entry) : yield* options.compact(fresh)
    if (compacted.length > 0) {
      const stored = yield* this.#newerThan(fresh, compacted)
      yield* applyInOrder({ options, fresh, compacted, stored })
    }
    yield* this.#import(options.remoteId, options.entries, fresh)
    return { duplicateEntries }
  })

  readonly withRemoteUncommited: Journal["withRemoteUncommited"] = (remoteId, f) =>
    Effect.flatMap(this.#uncommitted(remoteId), ({ entries, place, sentPlace }) => {
      if (place <= sentPlace) return Effect.succeedNone
      const [first, ...rest] = entries
      return Effect.uninterruptibleMask((restore) =>
        restore(first === undefined ? Effect.succeedNone : Effect.asSome(f([first, ...rest]))).pipe(
          Effect.tap(this.#advance(remoteId, (row) => ({ ...row, sentPlace: Math.max(row.sentPlace, place) })))
        )
      )
    })

  readonly writeRemoteAcks: Journal["writeRemoteAcks"] = ({ acks, firstSequence = 0, remoteId }) =>
    this.#advance(remoteId, (row) => {
      let nextSequence = Math.max(row.nextSequence, firstSequence)
      for (const sequence of acks.map((ack) => ack.sequence).sort((a, b) => a - b)) {
        if (sequence > nextSequence) break
        if (sequence === nextSequence) nextSequence++
      }
      return { ...row, nextSequence }
    })

  readonly nextRemoteSequence: Journal["nextRemoteSequence"] = (remoteId) =>
    this.#db.transact([stores.remotes], "readonly", (tx) => {
      const row = tx.objectStore(stores.remotes).get(remoteId as IDBValidKey) as IDBRequest<RemoteRow | undefined>
      return () => row.result?.nextSequence ?? 0
    })

  readonly destroy: Journal["destroy"] = Effect.suspend(() =>
    this.#db.transact(all, "readwrite", (tx) => {
      for (const name of all) tx.objectStore(name).clear()
      return () => undefined
    })
  )

  readonly unsent: Effect.Effect<ReadonlyArray<string>, Failure> = Effect.suspend(() =>
    this.#db.transact(all, "readonly", (tx) => {
      let ids: ReadonlyArray<EventJournal.EntryId> = []
      const remoteId = tx.objectStore(stores.state).get(state.remote) as IDBRequest<IDBValidKey | undefined>
      remoteId.onsuccess = () => {
        const remote = tx.objectStore(stores.remotes).get(remoteId.result ?? []) as IDBRequest<RemoteRow | undefined>
        remote.onsuccess = () => {
          readUnsentIds(tx, { origins: [0], after: remote.result?.sentPlace ?? 0 }, (found) => (ids = found))
        }
      }
      return () => ids.map(idString)
    })
  )

  /** Entries of this device, with ids behind all that the journal has: other tabs share it, and not the clock's ids. */
  #make(entries: Parameters<Journal["writeMany"]>[0]["entries"]) {
    return Effect.flatMap(
      this.#db.transact([stores.entries], "readonly", (tx) => {
        let latest: EventJournal.EntryId | undefined
        readLatestId(tx, (id) => (latest = id))
        return () => latest
      }),
      (latest) =>
        Effect.try({
          try: () => {
            const ids = makeEntryIds(entries.length, latest)
            const make = (fields: (typeof entries)[number], index: number) =>
              new EventJournal.Entry({ ...fields, id: ids[index]! }, { disableChecks: true })
            const [first, ...rest] = entries
            return [make(first, 0), ...rest.map((fields, index) => make(fields, index + 1))] as const
          },
          catch: (cause) => new EventJournal.EventJournalError({ method: "writeMany", cause })
        })
    )
  }

  #commit(entries: ReadonlyArray<Entry>) {
    return this.#db.transact([stores.entries, stores.state], "readwrite", (tx) => {
      append(tx, entries, 0)
      return () => undefined
    })
  }

  /** Which entries of a batch are new, each once: where batches overlap, the first copy counts. */
  #sort(entries: ReadonlyArray<EventJournal.RemoteEntry>) {
    const byId = new Map<string, EventJournal.RemoteEntry>()
    for (const each of entries) if (!byId.has(keyOf(each.entry.id))) byId.set(keyOf(each.entry.id), each)
    const ids = Array.from(byId.values(), ({ entry }) => entry.id).sort(EventJournal.EntryIdOrder)
    if (ids.length === 0) return Effect.succeed({ duplicateEntries: [], fresh: [] })
    return this.#db.transact([stores.entries], "readonly", (tx) => {
      const known = readKnown(tx, ids)
      return () => ({
        duplicateEntries:
          known.size === 0 ? [] : entries.map(({ entry }) => entry).filter(({ id }) => known.has(keyOf(id))),
        fresh: Array.from(byId.entries())
          .filter(([id]) => !known.has(id))
          .map(([, each]) => each)
      })
    })
  }

  #newerThan(fresh: ReadonlyArray<EventJournal.RemoteEntry>, compacted: ReadonlyArray<Entry>) {
    const ids = [...fresh.map(({ entry }) => entry.id), ...compacted.map(({ id }) => id)]
    const oldest = ids.reduce((least, id) => (EventJournal.EntryIdOrder(id, least) < 0 ? id : least))
    const groups = new Map(compacted.map((entry) => [JSON.stringify([entry.event, entry.primaryKey]), entry]))
    return this.#db.transact([stores.entries], "readonly", (tx) => {
      const newer = readNewer(tx, oldest, Array.from(groups.values()))
      return () => newer
    })
  }

  /** Commits new entries, and that the server delivered all of the batch. */
  #import(
    remoteId: RemoteId,
    delivered: ReadonlyArray<EventJournal.RemoteEntry>,
    fresh: ReadonlyArray<EventJournal.RemoteEntry>
  ) {
    const next = delivered.reduce((next, { remoteSequence }) => Math.max(next, remoteSequence + 1), 0)
    return this.#db.transact(all, "readwrite", (tx) => {
      withRemote(tx, remoteId, (row) => {
        append(
          tx,
          fresh.map(({ entry }) => entry),
          row.number
        )
        return { ...row, nextSequence: Math.max(row.nextSequence, next) }
      })
      return () => undefined
    })
  }

  #advance(remoteId: RemoteId, change: (row: RemoteRow) => RemoteRow) {
    return Effect.suspend(() =>
      this.#db.transact([stores.remotes, stores.state], "readwrite", (tx) => {
        withRemote(tx, remoteId, change)
        return () => undefined
      })
    )
  }

  /** What a server doesn't have, in the order of ids, and the last place that was looked at. */
  #uncommitted(remoteId: RemoteId) {
    return this.#db.transact(all, "readonly", (tx) => {
      let sentPlace = 0
      let entries: ReadonlyArray<Entry> = []
      const place = tx.objectStore(stores.state).get(state.place) as IDBRequest<number | undefined>
      const remotes = tx.objectStore(stores.remotes).getAll() as IDBRequest<Array<RemoteRow>>
      remotes.onsuccess = () => {
        const own = remotes.result.find((row) => keyOf(row.remoteId) === keyOf(remoteId))
        sentPlace = own?.sentPlace ?? 0
        const others = remotes.result.filter((row) => row !== own).map(({ number }) => number)
        entries = readUnsent(tx, { origins: [0, ...others], after: sentPlace })
      }
      return () => ({
        entries,
        place: place.result ?? 0,
        sentPlace
      })
    })
  }
}

const idString = (id: EventJournal.EntryId): string =>
  fromRow({ id, event: "", primaryKey: "", payload: id, origin: 0, place: 0 }).idString

/** Entries that are put without a break: a page has to be able to paint between them. */
const pageSize = 250

/** Adds entries of an origin behind all others, within a transaction. */
const append = (tx: IDBTransaction, entries: ReadonlyArray<Entry>, origin: number): void => {
  if (entries.length === 0) return
  const last = tx.objectStore(stores.state).get(state.place) as IDBRequest<number | undefined>
  last.onsuccess = () => {
    const place = last.result ?? 0
    tx.objectStore(stores.state).put(place + entries.length, state.place)
    appendFrom(tx, { entries, origin, place }, 0)
  }
}

const appendFrom = (
  tx: IDBTransaction,
  rows: { readonly entries: ReadonlyArray<Entry>; readonly origin: number; readonly place: number },
  from: number
): void => {
  const { entries, origin, place } = rows
  const until = Math.min(from + pageSize, entries.length)
  const store = tx.objectStore(stores.entries)
  for (let index = from; index < until; index++) {
    const added = store.add(toRow(entries[index]!, origin, place + index + 1))
    if (index === until - 1 && until < entries.length) added.onsuccess = () => appendFrom(tx, rows, until)
  }
}

/** Changes what is known of a server, which is the one in use from here on, within a transaction. */
const withRemote = (tx: IDBTransaction, remoteId: RemoteId, change: (row: RemoteRow) => RemoteRow): void => {
  const remotes = tx.objectStore(stores.remotes)
  const count = remotes.count()
  const known = remotes.get(remoteId as IDBValidKey) as IDBRequest<RemoteRow | undefined>
  known.onsuccess = () => {
    const row = known.result ?? { remoteId, number: count.result + 1, sentPlace: 0, nextSequence: 0 }
    remotes.put(change(row))
    tx.objectStore(stores.state).put(remoteId, state.remote)
  }
}
