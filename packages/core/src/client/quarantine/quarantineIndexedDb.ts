import { Effect, Exit, Scope } from "effect"
import { EventJournal } from "effect/eventlog"
import { type Database, openDatabase } from "../indexedDb.ts"
import type { QuarantineContent, QuarantinedEntry, QuarantineStorage } from "./QuarantineStorage.ts"

/** An entry as it is stored: a structured clone knows no classes. */
interface Row extends Omit<QuarantinedEntry, "entry"> {
  readonly id: EventJournal.EntryId
  readonly event: string
  readonly primaryKey: string
  readonly payload: Uint8Array
}

const toRow = ({ entry: { event, id, payload, primaryKey }, ...rest }: QuarantinedEntry): Row => ({
  ...rest,
  id,
  event,
  primaryKey,
  payload
})

const fromRow = ({ event, id, payload, primaryKey, ...rest }: Row): QuarantinedEntry => ({
  ...rest,
  entry: new EventJournal.Entry({ id, event, primaryKey, payload }, { disableChecks: true })
})

const stores = ["entries", "state"]

/**
 * A quarantine in a database of the browser, shared by all tabs of an origin. It is opened when it is first used.
 *
 * @param options the database's name, one for each journal of the origin: by default that of effect's default journal, with
 * `_quarantine` after it
 */
export const quarantineIndexedDb = ({
  database: name = "effect_event_journal_quarantine"
}: {
  readonly database?: string | undefined
} = {}): QuarantineStorage => {
  const database = openOnce(name)
  const channel = typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel(name)
  return {
    read: (known) =>
      Effect.flatMap(database, (db) =>
        db.transact(stores, "readonly", (tx) => {
          let content: QuarantineContent | undefined
          const state = tx.objectStore("state").get("revision") as IDBRequest<number | undefined>
          state.onsuccess = () => {
            const revision = state.result ?? 0
            if (revision === known) return
            const rows = tx.objectStore("entries").getAll() as IDBRequest<Array<Row>>
            rows.onsuccess = () => (content = { revision, entries: rows.result.map(fromRow) })
          }
          return () => content
        })
      ),
    change: ({ put, remove }) =>
      Effect.flatMap(database, (db) =>
        db.transact(stores, "readwrite", (tx) => {
          const entries = tx.objectStore("entries")
          for (const entry of remove) entries.delete(entry.id)
          for (const record of put) entries.put(toRow(record))
          const state = tx.objectStore("state").get("revision") as IDBRequest<number | undefined>
          state.onsuccess = () => tx.objectStore("state").put((state.result ?? 0) + 1, "revision")
          return () => channel?.postMessage("changed")
        })
      ),
    onForeignChange: (listener) => {
      channel?.addEventListener("message", listener)
      return () => channel?.removeEventListener("message", listener)
    }
  }
}

/** Opens a database with the first use, and again with the next one where that failed. It stays open as long as the page. */
const openOnce = (name: string): Effect.Effect<Database, EventJournal.EventJournalError> => {
  let opened: Promise<Exit.Exit<Database, EventJournal.EventJournalError>> | undefined
  const scope = Scope.makeUnsafe()
  const open = openDatabase({
    name,
    version: 1,
    upgrade: (db) => {
      db.createObjectStore("entries", { keyPath: "id" })
      db.createObjectStore("state")
    }
  }).pipe(Scope.provide(scope))
  return Effect.suspend(() => {
    opened ??= Effect.runPromiseExit(open)
    return Effect.flatMap(
      Effect.promise(() => opened!),
      (exit) => {
        if (Exit.isFailure(exit)) opened = undefined
        return exit
      }
    )
  })
}
