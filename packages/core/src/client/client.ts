import { Effect, Option, PubSub, type Scope } from "effect"
import { EventJournal, EventLog, type EventLogRemote } from "effect/eventlog"
import type { Socket } from "effect/socket"
import type { ConnectionFailure } from "./errors.ts"
import { DeviceJournal } from "./journal/DeviceJournal.ts"
import { type ClientOptions, settingsOf } from "./options.ts"
import { PendingWrites } from "./pendingWrites.ts"
import { makeProver } from "./prover.ts"
import { Quarantine } from "./quarantine/Quarantine.ts"
import { registerRemotes } from "./registrar.ts"
import { makeRemote } from "./remote.ts"
import { Sessions } from "./sessions.ts"
import { type ClientStatus, StatusStore } from "./status.ts"
import { supervise } from "./supervisor.ts"
import { makeWake } from "./wake.ts"

/** A running client, as an app sees it. */
export interface Client {
  /** The status now. The same object until something changes. */
  readonly status: () => ClientStatus
  /**
   * Calls `listener` after each change, synchronously, until the answered function is called. What it throws is logged.
   * With `status` it is what React's `useSyncExternalStore` takes.
   */
  readonly subscribe: (listener: (status: ClientStatus) => void) => () => void
  /** Doesn't wait any longer before it connects again; with a connection it looks whether that still lives. */
  readonly reconnect: Effect.Effect<void>
  /** Applies now what is set aside, as far as it can be. Without a `Quarantine` beside the journal there is nothing. */
  readonly retryQuarantined: Effect.Effect<void, EventJournal.EventJournalError>
}

/** What happens before an app has its remote. */
interface Listeners {
  readonly onRegistered: (remote: EventLogRemote.EventLogRemote["Service"]) => void
  readonly onFailure: (failure: ConnectionFailure) => void
}

/**
 * Runs a client on a socket until the scope closes: one fiber keeps a connection, another registers the server as a
 * remote. It never waits for the network.
 */
export const runClient = Effect.fnUntraced(function* (
  socket: Socket.Socket,
  options: ClientOptions,
  listeners: Listeners
): Effect.fn.Return<Client, never, Scope.Scope | EventLog.Registry> {
  const registry = yield* EventLog.Registry
  const services = yield* Effect.context<never>()
  const settings = settingsOf(options)
  const status = new StatusStore((error) =>
    Effect.runForkWith(services)(Effect.logError("A listener of the client's status failed", error))
  )
  const pending = new PendingWrites((pendingWrites) => status.set({ pendingWrites }))
  const sessions = new Sessions()
  const prover = makeProver(settings, status)
  yield* Effect.addFinalizer(() => Effect.sync(() => status.set({ connection: "closed" })))
  const { wake, woken } = yield* makeWake
  yield* countLocalWrites(pending)
  yield* readDeviceJournal(pending, status)
  const retryQuarantined = yield* openQuarantine(registry, status)
  yield* Effect.forkScoped(supervise({ socket, settings, sessions, status, woken, onFailure: listeners.onFailure }))
  yield* registerRemotes({
    registry,
    sessions,
    settings,
    makeRemote: (link) => makeRemote({ link, prover, settings, status, pending }),
    onRegistered: listeners.onRegistered
  })
  return {
    status: () => status.current,
    subscribe: (listener) => status.subscribe(listener),
    reconnect: wake,
    retryQuarantined
  }
})

/**
 * Counts what is written while effect's `EventLog` waits for an earlier write, or for the first contact. The journal is
 * there wherever an `EventLog` is built from layers; without it those entries are counted when they are handed over.
 */
const countLocalWrites = Effect.fnUntraced(function* (
  pending: PendingWrites
): Effect.fn.Return<void, never, Scope.Scope> {
  const journal = yield* Effect.serviceOption(EventJournal.EventJournal)
  if (Option.isNone(journal)) return
  const written = yield* journal.value.changes
  yield* PubSub.takeAll(written).pipe(
    Effect.flatMap((entries) => Effect.sync(() => pending.add(entries))),
    Effect.forever,
    Effect.forkScoped({ startImmediately: true })
  )
})

/** Counts what earlier runs of the app left unsent, before anything of it can be acknowledged, and asks whether it is kept. */
const readDeviceJournal = Effect.fnUntraced(function* (
  pending: PendingWrites,
  status: StatusStore
): Effect.fn.Return<void, never, Scope.Scope> {
  const journal = yield* Effect.serviceOption(DeviceJournal)
  if (Option.isNone(journal)) return
  const { persisted, unsent } = journal.value
  const count = (ids: ReadonlyArray<string>) =>
    Effect.sync(() => {
      pending.add(ids.map((idString) => ({ idString })))
      status.set({ pendingCounted: true })
    })
  yield* unsent.pipe(
    Effect.flatMap(count),
    Effect.catch((error) => Effect.logError("What is unsent could not be counted", error))
  )
  yield* persisted.pipe(
    Effect.map((persisted) => status.set({ persisted })),
    Effect.forkScoped
  )
})

/** Lets the quarantine know the app's handlers, applies what it holds by now, and shows the rest in the status. */
const openQuarantine = Effect.fnUntraced(function* (
  registry: EventLog.Registry["Service"],
  status: StatusStore
): Effect.fn.Return<Client["retryQuarantined"], never, Scope.Scope> {
  const quarantine = yield* Effect.serviceOption(Quarantine)
  if (Option.isNone(quarantine)) return Effect.void
  const { attach, follow, retry, summary } = quarantine.value
  yield* attach(registry)
  yield* follow((quarantined) => status.set({ quarantined }))
  status.set({ quarantined: summary() })
  yield* retry.pipe(
    Effect.catchCause((cause) => Effect.logError("What is quarantined could not be applied", cause)),
    Effect.forkScoped
  )
  return retry
})
