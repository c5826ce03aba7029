import { codeOf, type Failure, isNetworkFailure } from "../Failure.ts"

/** Serialization failures, deadlocks, and entries that somebody else inserted meanwhile. */
const conflicts = new Set(["40001", "40P01", "23505"])

/** Classes and codes of SQLSTATE: connections, resources but for a full disk, shutdowns, locks, cancelled statements. */
const away = ["08", "53", "57P", "55P03", "57014", "25P03", "25P04", "25006"]

/** pg says these without a code. */
const lostConnection =
  /connection terminated|connection timeout|timeout exceeded when trying to connect|not queryable|connection error/i

/** `Dialect.failureOf`. */
export const failureOf = (cause: unknown): Failure => {
  const code = codeOf(cause)
  if (conflicts.has(code)) return "Conflict"
  if (code === "53100") return "Broken"
  if (away.some((prefix) => code.startsWith(prefix)) || isNetworkFailure(cause)) return "Away"
  return cause instanceof Error && lostConnection.test(cause.message) ? "Away" : "Broken"
}
