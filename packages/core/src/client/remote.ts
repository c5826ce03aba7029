import { Effect } from "effect"
import { EventLog, EventLogRemote } from "effect/eventlog"
import { type ClientError, type ConnectionFailure, clientError } from "./errors.ts"
import type { RemoteContext } from "./remoteContext.ts"
import { makeSubscriber } from "./subscription.ts"
import { makeWriter } from "./writer.ts"

/** effect's `EventLogRemote`, on which its `EventLog` runs unchanged. */
export const makeRemote = (context: RemoteContext): EventLogRemote.EventLogRemote["Service"] => {
  const { link, prover } = context
  const authenticated = (identity: EventLog.Identity["Service"]): Effect.Effect<void, ClientError> =>
    link.session.pipe(
      Effect.flatMap((session) => prover.prove(session, identity)),
      Effect.retry({ while: (error): error is ConnectionFailure => error._tag === "ConnectionFailure" }),
      link.while.bind(link),
      Effect.mapError((error) => (error._tag === "EventLogRemoteError" ? error : clientError("authenticate", error)))
    )
  return EventLogRemote.EventLogRemote.of({
    id: link.id,
    firstSequence: 1,
    changes: makeSubscriber(context),
    write: makeWriter(context),
    whenAuthenticated: (effect) =>
      Effect.flatMap(EventLog.Identity, (identity) => Effect.andThen(authenticated(identity), effect))
  })
}
