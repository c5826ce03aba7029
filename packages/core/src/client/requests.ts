import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { Ack, Authenticate, Authenticated } from "../wire/index.ts"
import { ConnectionFailure, RemoteRefusal } from "./errors.ts"
import type { Answer, Route, Session } from "./session.ts"

/** Asks once: the answer, or the refusal, or the end of the session. */
const ask = <A extends Answer>(
  session: Session,
  tag: A["_tag"],
  open: (route: Route) => () => void
): Effect.Effect<A, RemoteRefusal | ConnectionFailure> =>
  Effect.callback((resume) => {
    let close = () => {}
    const done = (result: Effect.Effect<A, RemoteRefusal | ConnectionFailure>) => {
      close()
      resume(result)
    }
    close = open({
      answer: (answer) => {
        if (answer._tag === tag) return done(Effect.succeed(answer as A))
        if (answer._tag === "Error") return done(Effect.fail(RemoteRefusal.fromFrame(answer)))
        session.end(
          new ConnectionFailure({ reason: "Protocol", message: `${answer._tag} does not answer this request` })
        )
      },
      ended: (failure) => resume(Effect.fail(failure))
    })
    return Effect.sync(() => close())
  })

/** Writes entries; succeeds when they are durable. */
export const writeEntries = (
  session: Session,
  publicKey: string,
  entries: ReadonlyArray<EventJournal.Entry>
): Effect.Effect<typeof Ack.Type, RemoteRefusal | ConnectionFailure> =>
  ask<typeof Ack.Type>(session, "Ack", (route) => {
    const id = session.open((id) => ({ _tag: "WriteEntries", id, publicKey, entries }), route)
    return () => session.close(id)
  })

/** Sends a proof. One at a time. */
export const authenticate = (
  session: Session,
  message: typeof Authenticate.Type
): Effect.Effect<typeof Authenticated.Type, RemoteRefusal | ConnectionFailure> =>
  ask<typeof Authenticated.Type>(session, "Authenticated", (route) => {
    session.openProof(message, route)
    return () => session.close("Authenticate")
  })
