import { Deferred, Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import { RemoteRetired } from "./errors.ts"
import type { Session } from "./session.ts"
import type { Sessions } from "./sessions.ts"

const sameId = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index])

/**
 * Ties a remote to the sessions of its server. A remote lives longer than a connection, and ends when the client is
 * closed or finds another server at the other end.
 */
export class RemoteLink {
  readonly id: EventJournal.RemoteId
  readonly #sessions: Sessions
  readonly #retired = Deferred.makeUnsafe<never, RemoteRetired>()

  constructor(id: EventJournal.RemoteId, sessions: Sessions) {
    this.id = id
    this.#sessions = sessions
  }

  /** Whether a session is one with this remote. */
  isWith(session: Session): boolean {
    return sameId(session.remoteId, this.id)
  }

  /** The live session with this remote, or the next one. */
  readonly session: Effect.Effect<Session> = Effect.suspend(() =>
    this.#sessions.next((session) => this.isWith(session))
  )

  /**
   * Runs `effect` until the remote is retired. effect's `EventLog` writes its backlog a last time where it can't be
   * interrupted, and without a connection that would wait forever; what races stays interruptible.
   */
  while<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | RemoteRetired> {
    return Effect.raceFirst(Deferred.await(this.#retired), effect)
  }

  /** Fails everything that runs or will run. */
  retire(reason: RemoteRetired["reason"]): void {
    const message = reason === "Closed" ? "The client is closed" : "The server is another one by now"
    Deferred.doneUnsafe(this.#retired, Effect.fail(new RemoteRetired({ reason, message })))
  }
}
