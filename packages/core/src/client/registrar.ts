import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import type { EventLog, EventLogRemote } from "effect/eventlog"
import type { Settings } from "./options.ts"
import { RemoteLink } from "./remoteLink.ts"
import type { Sessions } from "./sessions.ts"

type Remote = EventLogRemote.EventLogRemote["Service"]

/** What the registrar works with. */
export interface RegistrarContext {
  readonly registry: EventLog.Registry["Service"]
  readonly sessions: Sessions
  readonly settings: Settings
  readonly makeRemote: (link: RemoteLink) => Remote
  /** Told of each remote once it is registered. */
  readonly onRegistered: (remote: Remote) => void
}

interface Registered {
  readonly link: RemoteLink
  readonly scope: Scope.Closeable
}

/**
 * Registers the server as a remote of effect's `EventLog` when it first tells its id, and as a new one when the id is
 * another later: then the journal starts over with it, sending what it has and receiving what it lacks.
 *
 * When the scope closes, effect writes its backlog a last time. That gets `closeTimeout` where there is a connection,
 * and no time where there is none.
 */
export const registerRemotes = Effect.fnUntraced(function* (
  context: RegistrarContext
): Effect.fn.Return<void, never, Scope.Scope> {
  const { sessions } = context
  let registered: Registered | undefined
  yield* Effect.addFinalizer(() => (registered === undefined ? Effect.void : flushAndClose(context, registered)))
  yield* Effect.gen(function* () {
    while (true) {
      const session = yield* sessions.next((session) => registered?.link.isWith(session) !== true)
      // Uninterruptible, so that the finalizer above finds what there is to close.
      yield* Effect.uninterruptible(
        Effect.gen(function* () {
          if (registered !== undefined) yield* close(registered, "Replaced")
          registered = yield* register(context, new RemoteLink(session.remoteId, sessions))
        })
      )
    }
  }).pipe(Effect.forkScoped)
})

const register = Effect.fnUntraced(function* (
  { makeRemote, onRegistered, registry }: RegistrarContext,
  link: RemoteLink
): Effect.fn.Return<Registered> {
  const scope = yield* Scope.make()
  const remote = makeRemote(link)
  yield* Scope.provide(registry.registerRemote(remote), scope)
  onRegistered(remote)
  return { link, scope }
})

const close = ({ link, scope }: Registered, reason: "Closed" | "Replaced"): Effect.Effect<void> =>
  Effect.suspend(() => {
    link.retire(reason)
    return Scope.close(scope, Exit.void)
  })

const flushAndClose = Effect.fnUntraced(function* (context: RegistrarContext, registered: Registered) {
  const session = context.sessions.current
  if (session === undefined) return yield* close(registered, "Closed")
  const retireLater = yield* Effect.sleep(context.settings.closeTimeout).pipe(
    Effect.raceFirst(Effect.exit(Deferred.await(session.ended))),
    Effect.andThen(Effect.sync(() => registered.link.retire("Closed"))),
    Effect.forkDetach({ startImmediately: true })
  )
  yield* Scope.close(registered.scope, Exit.void)
  yield* close(registered, "Closed")
  yield* Fiber.interrupt(retireLater)
})
