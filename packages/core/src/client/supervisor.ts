import { Clock, Effect, Exit } from "effect"
import type { Socket } from "effect/socket"
import { backoffMillis } from "./backoff.ts"
import { runConnection } from "./connection.ts"
import { ConnectionFailure, clientError } from "./errors.ts"
import { connections } from "./metrics.ts"
import type { Settings } from "./options.ts"
import type { Session } from "./session.ts"
import type { Sessions } from "./sessions.ts"
import type { StatusStore } from "./status.ts"

/** What the supervisor works with. */
export interface SupervisorContext {
  readonly socket: Socket.Socket
  readonly settings: Settings
  readonly sessions: Sessions
  readonly status: StatusStore
  /** Completes when the network may have come back: a reason not to wait any longer. */
  readonly woken: Effect.Effect<void>
  /** Told of each connection that failed or ended. */
  readonly onFailure: (failure: ConnectionFailure) => void
}

/** How a connection ended: why, and how many milliseconds after `Hello`. */
interface Outcome {
  readonly failure: ConnectionFailure
  readonly lived: number
  /** Over how many milliseconds clients spread that lose the server together, as it said; absent without a `Hello`. */
  readonly reconnectWithin?: number | undefined
}

/** With how many failures a server is treated that restarts or is full: a first window of 2 s by default. */
const busyFailures = 4
const isBusy = ({ closeCode }: ConnectionFailure): boolean => closeCode === 1012 || closeCode === 1013

/**
 * How many failures in a row the next wait is for. A connection that lived long starts a new row. All the devices of a
 * server that restarts lose it at the same moment, so they spread from the first attempt on.
 *
 * @param before failures before this one
 */
export const countFailures = (before: number, { failure, lived }: Outcome, stableAfter: number): number => {
  const failures = (lived >= stableAfter ? 0 : before) + 1
  return isBusy(failure) ? Math.max(failures, busyFailures) : failures
}

/** Whether others have lost the server at the same moment, as far as can be told: it closes for all, or has died. */
const isLostByAll = ({ closeCode, reason }: ConnectionFailure): boolean =>
  reason === "Closed" && (closeCode === undefined || closeCode === 1006 || closeCode === 1012 || closeCode === 1013)

/**
 * Over how many milliseconds attempts are spread. It stands until the server, or another one, says hello again: as long as it
 * is away all others try, too.
 *
 * @param before that of the attempt before
 */
export const spreadAfter = (before: number, { failure, reconnectWithin }: Outcome): number => {
  if (reconnectWithin === undefined) return before
  return isLostByAll(failure) ? reconnectWithin : 0
}

/** How long to wait before the next attempt, in milliseconds. A server may ask for more, up to the longest window of all. */
const waitAfter = (
  settings: Settings,
  {
    failures,
    failure,
    spread
  }: { readonly failures: number; readonly failure: ConnectionFailure; readonly spread: number }
): Effect.Effect<number> => {
  const { retryAfter } = failure
  if (retryAfter === undefined) return backoffMillis({ ...settings, spread }, failures)
  const asked = Math.min(retryAfter, settings.backoffMaximum)
  return Effect.map(backoffMillis(settings, failures), (millis) => Math.max(millis, asked))
}

/** Keeps one connection at a time, for as long as it runs. */
export const supervise = Effect.fnUntraced(function* (context: SupervisorContext): Effect.fn.Return<never> {
  const { onFailure, settings, status, woken } = context
  let failures = 0
  let spread = 0
  while (true) {
    const outcome = yield* connectOnce(context)
    failures = countFailures(failures, outcome, settings.stableAfter)
    spread = spreadAfter(spread, outcome)
    const wait = waitAfter(settings, { failures, failure: outcome.failure, spread })
    const announce = Effect.sync(() => {
      status.failed(clientError("connect", outcome.failure), { connection: "offline", caughtUp: false })
      onFailure(outcome.failure)
    })
    // Listens before it announces: who hears that it is offline may wake it at once.
    yield* Effect.raceFirst(
      woken,
      Effect.andThen(
        announce,
        Effect.flatMap(wait, (millis) => Effect.sleep(millis))
      )
    )
  }
})

/** One connection, from dialing to its end. */
const connectOnce = Effect.fnUntraced(function* ({
  sessions,
  settings,
  socket,
  status,
  woken
}: SupervisorContext): Effect.fn.Return<Outcome> {
  const clock = yield* Clock.Clock
  const services = yield* Effect.context<never>()
  let session: Session | undefined
  let since: number | undefined

  const onSession = (begun: Session) => {
    session = begun
    since = clock.currentTimeMillisUnsafe()
    connections.updateUnsafe(1, services)
    status.succeeded("connect", { connection: "online", remoteId: begun.remoteId })
    sessions.set(begun)
  }

  const end = (exit: Exit.Exit<never, ConnectionFailure>) =>
    Effect.sync(() => {
      const failure = Exit.isFailure(exit) ? Exit.findErrorOption(exit) : undefined
      session?.end(failure?._tag === "Some" ? failure.value : closedHere)
      sessions.set(undefined)
    })

  status.set({ connection: "connecting" })
  const failure = yield* runConnection({ socket, settings, woken, onSession }).pipe(
    // A socket of the application may throw where it should fail.
    Effect.catchDefect((cause) =>
      Effect.fail(new ConnectionFailure({ reason: "Open", message: "The socket threw", cause }))
    ),
    Effect.onExit(end),
    Effect.scoped,
    Effect.flip
  )
  const lived = since === undefined ? 0 : clock.currentTimeMillisUnsafe() - since
  return { failure, lived, reconnectWithin: session?.reconnectWithin }
})

const closedHere = new ConnectionFailure({ reason: "Closed", message: "The client closed the connection" })
