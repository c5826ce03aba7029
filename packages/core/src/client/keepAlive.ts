import { Effect } from "effect"
import { ConnectionFailure } from "./errors.ts"
import type { Settings } from "./options.ts"
import type { Session } from "./session.ts"

/**
 * Finds out when a connection is only half open: nothing arrives, and nobody says that it ended (a phone that changed
 * networks, a router that forgot). It asks after each silence, and at once when woken.
 *
 * It needs no clock: `heard` is cleared, and looked at after a while.
 */
export const keepAlive = Effect.fnUntraced(function* (
  session: Session,
  settings: Pick<Settings, "pingInterval" | "pingTimeout">,
  woken: Effect.Effect<void>
): Effect.fn.Return<never, ConnectionFailure> {
  while (true) {
    session.heard = false
    yield* Effect.raceFirst(
      Effect.sleep(settings.pingInterval),
      Effect.andThen(
        woken,
        Effect.sync(() => (session.heard = false))
      )
    )
    if (session.heard) continue
    session.ping()
    // In two halves: when this thread was busy for long, what arrived meanwhile is read between them.
    yield* Effect.sleep(settings.pingTimeout / 2)
    yield* Effect.sleep(settings.pingTimeout / 2)
    if (!session.heard) {
      return yield* new ConnectionFailure({ reason: "Timeout", message: "The server does not answer" })
    }
  }
})
