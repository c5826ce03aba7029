import { isOriginAllowed } from "@eventlog-server/core/adapter"
import { type ErrorReason, reasons } from "@eventlog-server/core/protocol"

/** What a route answers; the body is sent as JSON. */
export interface Reply {
  readonly status: number
  readonly body: unknown
}

/** A request that can't be granted. The message is shown to the caller. */
export class HttpError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Where a request comes from, as its headers say. */
export interface Source {
  readonly origin: string | undefined
  readonly host: string | undefined
}

/**
 * Runs a route's work, unless a page of another site asks for it: browsers send such a page's simple posts without asking,
 * to a server on localhost too. A refusal becomes its status; what nobody expected is logged and becomes a 500.
 */
export const replyWith = async (source: Source, work: () => Promise<Reply>): Promise<Reply> => {
  try {
    if (!isOriginAllowed(source)) throw new HttpError(403, "Pages of other sites may not ask")
    return await work()
  } catch (error) {
    const { status, message } = toHttpError(error)
    if (status >= 500) console.error(error)
    return { status, body: { message } }
  }
}

/** The server rejects with tagged errors. */
interface Rejected {
  readonly _tag?: string
  readonly reason?: string
  readonly message: string
  readonly retryable?: boolean
}

const unavailable = new HttpError(503, "The storage is unavailable")
const internal = new HttpError(500, "Internal server error")

const toHttpError = (error: unknown): HttpError => {
  if (error instanceof HttpError) return error
  const { _tag, reason, message, retryable } = error as Rejected
  switch (_tag) {
    case "InvalidEventError":
      return new HttpError(400, message)
    case "RequestError":
      return new HttpError(reasons[reason as ErrorReason].retryable ? 503 : 400, message)
    case "EventLogServerStoreRegistryError":
      return reason === "AlreadyAssigned" ? new HttpError(409, "The key belongs to another store") : unavailable
    case "StoreErasedError":
      return new HttpError(410, message)
    default:
      return retryable === true ? unavailable : internal
  }
}
