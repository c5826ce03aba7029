import { EventLogMessage } from "effect/eventlog"
import { type Correlation, type DomainError, toErrorFrame } from "../../wire/errors.ts"
import type { ErrorReason } from "../../wire/messages.ts"

type Code = EventLogMessage.EventLogProtocolError["code"]

/**
 * `Forbidden` makes a stock client authenticate and ask again, five times and at once. So it says that proving the key is
 * what is missing, and nothing else; whatever asking again can't change is `Unauthorized`.
 */
const codes: Readonly<Record<ErrorReason, Code>> = {
  NotProved: "Forbidden",
  BadProof: "Unauthorized",
  Refused: "Unauthorized",
  NotMapped: "NotFound",
  AlreadyAssigned: "Unauthorized",
  Malformed: "InvalidRequest",
  Limit: "InvalidRequest",
  BadEntry: "InvalidRequest",
  ClockSkew: "InvalidRequest",
  FeedMismatch: "InvalidRequest",
  Unavailable: "InternalServerError",
  RateLimited: "InternalServerError",
  ShuttingDown: "InternalServerError",
  Internal: "InternalServerError"
}

/** Who asked for what. */
export type Refused = Correlation & { readonly storeId?: EventLogMessage.StoreId | undefined }

/** The error that tells a stock client why its call failed, and the code that the same failure has in our own protocol. */
export const toProtocolError = (failure: DomainError, request: Refused) => {
  const { code, message, reason } = toErrorFrame(failure, request)
  const { publicKey, requestTag, storeId } = request
  const error = new EventLogMessage.EventLogProtocolError({
    requestTag,
    publicKey,
    storeId,
    code: codes[reason],
    message
  })
  return { code, error }
}
