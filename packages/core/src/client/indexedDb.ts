import { Effect, type Scope } from "effect"
import { EventJournal } from "effect/eventlog"

/** How a database is opened. */
export interface DatabaseOptions {
  readonly name: string
  readonly version: number
  /** Makes the stores, or moves them on from an older version. 0 is a database that wasn't there. */
  readonly upgrade: (db: IDBDatabase, tx: IDBTransaction, from: number) => void
}

/** A database that is open, for as long as the scope lives. */
export interface Database {
  /**
   * Runs one transaction; `body` makes requests, and what it returns is called when all of it is durable. Fails when the
   * database refuses, `QuotaExceededError` among others, and then nothing was done.
   */
  readonly transact: <A>(
    stores: ReadonlyArray<string>,
    mode: IDBTransactionMode,
    body: (tx: IDBTransaction) => () => A
  ) => Effect.Effect<A, EventJournal.EventJournalError>
}

const failure = (method: string, cause: unknown) => new EventJournal.EventJournalError({ method, cause })

/**
 * Opens a database. When another tab wants to move it on to a newer version, or to delete it, this one lets go of it, and
 * every later transaction fails until the page is loaded again: an old page can't write what a new one no longer reads.
 */
export const openDatabase = (
  options: DatabaseOptions
): Effect.Effect<Database, EventJournal.EventJournalError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(open(options), (db) => Effect.sync(() => db.close())),
    (db): Database => ({
      transact: (stores, mode, body) =>
        Effect.callback((resume) => {
          let tx: IDBTransaction
          let result: (() => unknown) | undefined
          try {
            // What is reported as written must be on the disk: a phone may be switched off at any time.
            tx = db.transaction([...stores], mode, { durability: "strict" })
            result = body(tx)
          } catch (cause) {
            return resume(Effect.fail(failure("transact", cause)))
          }
          tx.oncomplete = () => resume(Effect.succeed(result() as never))
          tx.onabort = () => resume(Effect.fail(failure("transact", tx.error)))
          // A transaction that writes goes on to its end: what is half known is worse than what is late.
          return mode === "readonly" ? Effect.sync(() => abort(tx)) : Effect.void
        })
    })
  )

const abort = (tx: IDBTransaction): void => {
  try {
    tx.abort()
  } catch {
    // It has ended by itself.
  }
}

const open = (options: DatabaseOptions) =>
  Effect.flatMap(Effect.context<never>(), (services) =>
    openWith(options, () =>
      Effect.runForkWith(services)(
        Effect.logWarning(`The database ${options.name} waits for another tab that has an older version of it open`)
      )
    )
  )

const openWith = ({ name, upgrade, version }: DatabaseOptions, blocked: () => void) =>
  Effect.callback<IDBDatabase, EventJournal.EventJournalError>((resume) => {
    let request: IDBOpenDBRequest
    try {
      request = indexedDB.open(name, version)
    } catch (cause) {
      return resume(Effect.fail(failure("open", cause)))
    }
    request.onupgradeneeded = ({ oldVersion }) => upgrade(request.result, request.transaction!, oldVersion)
    request.onblocked = blocked
    request.onerror = () => resume(Effect.fail(failure("open", request.error)))
    request.onsuccess = () => {
      const db = request.result
      db.onversionchange = () => db.close()
      resume(Effect.succeed(db))
    }
  })
