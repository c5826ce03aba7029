/** What went wrong in a call of the database. */
export type Failure =
  /** Others were in the way (a deadlock, a write in between, a lock): the same may work at once. */
  | "Conflict"
  /** The database can't be reached, or can't serve for now. */
  | "Away"
  /** Nothing that a retry mends. */
  | "Broken"

/** The `code` of an error, as Node and the drivers set it. */
export const codeOf = (cause: unknown): string => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
  return typeof code === "string" ? code : ""
}

const networkCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENETDOWN",
  "ENETUNREACH",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "EADDRNOTAVAIL",
  "EMFILE",
  "ENFILE"
])

/** Whether an error says that the network lost the database, or didn't find it. */
export const isNetworkFailure = (cause: unknown): boolean =>
  networkCodes.has(codeOf(cause)) || (cause instanceof AggregateError && cause.errors.some(isNetworkFailure))
