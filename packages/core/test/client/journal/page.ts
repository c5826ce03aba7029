import { Cause, Context, Effect, Exit, Layer, Scope } from "effect"
import { EventJournal } from "effect/eventlog"
import { DeviceJournal, layerJournalIndexedDb, quarantineIndexedDb } from "../../../src/client/index.ts"
import { compareWithModel, journalCases } from "./journalCases.ts"

type Kind = "effect's" | "ours"

const layers = {
  "effect's": (database: string) => EventJournal.layerIndexedDb({ database }),
  ours: (database: string) => layerJournalIndexedDb({ database })
}

const journalOf = (kind: Kind, database: string) =>
  Effect.map(Layer.build(layers[kind](database)), (context) => Context.get(context, EventJournal.EventJournal))

/** `undefined`, or what went wrong. */
const outcome = async (effect: Effect.Effect<unknown, unknown, Scope.Scope>): Promise<string | undefined> => {
  const exit = await Effect.runPromiseExit(Effect.scoped(effect))
  return Exit.isSuccess(exit) ? undefined : Cause.pretty(exit.cause)
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const server = new Uint8Array(16).fill(1) as Uint8Array as EventJournal.RemoteId

const foreign = (primaryKey: string, msecs: number, bytes = 8) =>
  new EventJournal.Entry(
    {
      id: EventJournal.makeEntryIdUnsafe({ msecs }),
      event: "Added",
      primaryKey,
      payload: new Uint8Array(bytes)
    },
    { disableChecks: true }
  )

/** A journal that stays open as long as the page. */
const openHere = async (kind: Kind, database: string) => {
  const scope = Scope.makeUnsafe()
  const context = await Effect.runPromise(Layer.buildWithScope(layers[kind](database), scope))
  const journal = Context.get(context, EventJournal.EventJournal)
  const device = Context.getOption(context as Context.Context<never>, DeviceJournal)
  const run = <A>(effect: Effect.Effect<A, EventJournal.EventJournalError>) =>
    Effect.runPromise(Effect.mapError(effect, ({ cause }) => new Error(String(cause))))
  return {
    close: () => run(Scope.close(scope, Exit.void)),
    write: (primaryKey: string, bytes = 8) =>
      run(journal.write({ event: "Added", primaryKey, payload: new Uint8Array(bytes), effect: () => Effect.void })),
    /** Writes so many, and counts how many times that succeeded. */
    writeMany: (count: number) =>
      run(
        journal.writeMany({
          entries: Array.from({ length: count }, (_, index) => ({
            event: "Added",
            primaryKey: `${index}`,
            payload: new Uint8Array(64)
          })) as unknown as readonly [{ event: string; primaryKey: string; payload: Uint8Array<ArrayBuffer> }],
          effect: () => Effect.void
        })
      ),
    receive: (from: number, count: number, bytes?: number) =>
      run(
        journal.writeFromRemote({
          remoteId: server,
          entries: Array.from({ length: count }, (_, index) => ({
            remoteSequence: from + index,
            entry: foreign(`s${from + index}`, from + index, bytes)
          })),
          effect: () => Effect.void
        })
      ),
    send: () => run(journal.withRemoteUncommited(server, (entries) => Effect.succeed(entries.length))),
    /** How many are unsent. It fails inside, so that nothing of it counts as sent. */
    backlog: () =>
      run(
        journal
          .withRemoteUncommited(server, (entries) => Effect.fail(entries.length))
          .pipe(
            Effect.as(0),
            Effect.catchIf((error): error is number => typeof error === "number", Effect.succeed)
          )
      ),
    state: async () => ({
      keys: (await run(journal.entries)).map(({ primaryKey }) => primaryKey),
      payloads: (await run(journal.entries)).map(({ payload }) => text(payload)),
      next: await run(journal.nextRemoteSequence(server))
    }),
    unsent: () => (device._tag === "Some" ? run(device.value.unsent) : Promise.resolve([])),
    persisted: () => (device._tag === "Some" ? run(device.value.persisted) : Promise.resolve(undefined))
  }
}
export type OpenJournal = Awaited<ReturnType<typeof openHere>>

/** A database as version 1 of effect's journal left it. */
const makeVersion1 = (database: string) =>
  new Promise<void>((resolve, reject) => {
    const request = indexedDB.open(database, 1)
    request.onerror = () => reject(request.error)
    request.onupgradeneeded = () => {
      const db = request.result
      const entries = db.createObjectStore("entries", { keyPath: "id" })
      entries.createIndex("id", "id", { unique: true })
      entries.createIndex("event", "event")
      const remotes = db.createObjectStore("remotes", { keyPath: ["remoteId", "entryId"] })
      remotes.createIndex("id", "remoteId")
      remotes.createIndex("sequence", ["remoteId", "sequence"])
      db.createObjectStore("remoteEntryId", { keyPath: ["remoteId"] }).createIndex("id", "remoteId", { unique: true })
      const [theirs, mine] = [foreign("theirs", 1), foreign("mine", 2)]
      for (const { event, id, payload, primaryKey } of [theirs, mine]) entries.put({ id, event, primaryKey, payload })
      remotes.put({ remoteId: server, entryId: theirs.id, sequence: 4 })
      request.transaction?.objectStore("remoteEntryId").put({ remoteId: server, entryId: theirs.id })
    }
    request.onsuccess = () => {
      request.result.close()
      resolve()
    }
  })

/** What a test does in the page. */
const tools = {
  cases: journalCases.map(({ name }) => name),
  runCase: (kind: Kind, name: string) => {
    const found = journalCases.find((each) => each.name === name)!
    return outcome(Effect.flatMap(journalOf(kind, crypto.randomUUID()), found.run))
  },
  compareWithModel: (kind: Kind, seed: number) =>
    outcome(Effect.flatMap(journalOf(kind, crypto.randomUUID()), (journal) => compareWithModel(journal, seed))),
  open: openHere,
  makeVersion1,
  /** Asks for a version of a database that doesn't exist yet, as a later one of the app would. */
  upgrade: (database: string) =>
    new Promise<boolean>((resolve) => {
      const request = indexedDB.open(database, 99)
      request.onsuccess = () => {
        request.result.close()
        resolve(true)
      }
    }),
  quarantine: {
    put: (database: string, primaryKey: string) =>
      Effect.runPromise(
        quarantineIndexedDb({ database }).change({
          put: [
            { entry: foreign(primaryKey, 1), sequence: 1, reason: "Undecodable", message: "no", since: Date.now() }
          ],
          remove: []
        })
      ),
    clear: async (database: string) => {
      const storage = quarantineIndexedDb({ database })
      const content = await Effect.runPromise(storage.read(undefined))
      await Effect.runPromise(storage.change({ put: [], remove: content!.entries.map(({ entry }) => entry) }))
    },
    read: async (database: string) => {
      const storage = quarantineIndexedDb({ database })
      const content = await Effect.runPromise(storage.read(undefined))
      const again = await Effect.runPromise(storage.read(content?.revision))
      return {
        revision: content?.revision,
        again: again === undefined,
        keys: content?.entries.map(({ entry, reason }) => [entry.primaryKey, entry.idString.length, reason])
      }
    },
    /** Resolves when another page made a change. */
    changed: (database: string) =>
      new Promise<void>((resolve) => quarantineIndexedDb({ database }).onForeignChange?.(resolve))
  }
}
export type Tools = typeof tools
Object.assign(globalThis, { tools })
