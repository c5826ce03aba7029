import { codeOf, type Failure, isNetworkFailure } from "../Failure.ts"

/** Deadlocks; a row that changed since the snapshot; a savepoint that is gone, since a deadlock undid everything. */
const isConflict = (code: string, cause: unknown): boolean =>
  code === "ER_LOCK_DEADLOCK" ||
  code === "ER_CHECKREAD" ||
  (code === "ER_SP_DOES_NOT_EXIST" && cause instanceof Error && cause.message.includes("SAVEPOINT"))

/** Lost and refused connections, locks that weren't free in time, cancelled statements, a server that is read-only. */
const away = new Set([
  "PROTOCOL_CONNECTION_LOST",
  "PROTOCOL_SEQUENCE_TIMEOUT",
  "ER_CON_COUNT_ERROR",
  "ER_TOO_MANY_USER_CONNECTIONS",
  "ER_USER_LIMIT_REACHED",
  "ER_SERVER_SHUTDOWN",
  "ER_NORMAL_SHUTDOWN",
  "ER_CONNECTION_KILLED",
  "ER_CLIENT_INTERACTION_TIMEOUT",
  "ER_QUERY_INTERRUPTED",
  "ER_QUERY_TIMEOUT",
  "ER_STATEMENT_TIMEOUT",
  "ER_LOCK_WAIT_TIMEOUT",
  "ER_OUTOFMEMORY",
  "ER_OUT_OF_RESOURCES",
  "ER_OPTION_PREVENTS_STATEMENT",
  "ER_READ_ONLY_MODE",
  "ER_INNODB_READ_ONLY",
  "ER_NET_READ_ERROR",
  "ER_NET_READ_INTERRUPTED",
  "ER_NET_ERROR_ON_WRITE",
  "ER_NET_WRITE_INTERRUPTED"
])

/** mysql2 says these without a code. */
const withoutCode = /in closed state|no connections available|queue limit reached/i

/** `Dialect.failureOf`. */
export const failureOf = (cause: unknown): Failure => {
  const code = codeOf(cause)
  if (isConflict(code, cause)) return "Conflict"
  if (away.has(code) || isNetworkFailure(cause)) return "Away"
  return cause instanceof Error && code === "" && withoutCode.test(cause.message) ? "Away" : "Broken"
}
