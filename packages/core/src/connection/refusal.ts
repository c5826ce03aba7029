import { Cause, Effect } from "effect"
import { RequestError } from "../wire/errors.ts"
import type { Limits } from "../wire/limits.ts"

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

/** A request names a key that the connection didn't prove, or any key before one was. */
export const notProved = (publicKey: string | undefined) =>
  new RequestError({
    reason: "NotProved",
    message:
      publicKey === undefined
        ? "This connection has proved no key"
        : `This connection has not proved the key ${publicKey}`
  })

/** A proof where none is asked for. */
export const notNeeded = () =>
  new RequestError({ reason: "Malformed", message: "This server asks for no proof: it sent no challenge" })

/** A key that belongs to no store, or no longer. */
export const notMapped = () => new RequestError({ reason: "NotMapped", message: "The public key belongs to no store" })

/** A key that belongs to another store than the one that was named. */
export const otherStore = () =>
  new RequestError({ reason: "NotMapped", message: "The public key belongs to no store of that name" })

/** Somebody changed what a key may do while it was being granted. */
export const accessChanged = () =>
  new RequestError({ reason: "Unavailable", message: "The access of this key was changed meanwhile; ask again" })

/** One key more than a connection may prove. */
export const tooManyKeys = ({ maxKeys }: Limits) =>
  new RequestError({ reason: "Limit", message: `A connection may prove ${maxKeys} keys` })

/** One subscription more than a connection may have. */
export const tooManySubscriptions = ({ maxSubscriptions }: Limits) =>
  new RequestError({ reason: "Limit", message: `A connection may have ${maxSubscriptions} subscriptions` })
