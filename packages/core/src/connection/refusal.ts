import { Cause, Effect } from "effect"
import { RequestError } from "../wire/errors.ts"

/**
 * Tells a peer why its request failed, in whatever protocol. A defect is logged, and says nothing of itself to the peer; an
 * interruption means that the server is shutting down.
 */
export const refuseWith = <E>(cause: Cause.Cause<E>, tell: (error: E | RequestError) => void): Effect.Effect<void> => {
  const failure = cause.reasons.find(Cause.isFailReason)?.error
  const isDefect = failure === undefined && !Cause.hasInterruptsOnly(cause)
  const send = Effect.sync(() => tell(failure ?? (isDefect ? internal() : shuttingDown())))
  return isDefect ? Effect.andThen(Effect.logError("A request died", cause), send) : send
}

const internal = () => new RequestError({ reason: "Internal", message: "The request failed" })

/** What is refused while the server closes. */
export const shuttingDown = () => new RequestError({ reason: "ShuttingDown", message: "The server is shutting down" })
