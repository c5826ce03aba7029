import { StorageError, StoreErasedError, type StoreId } from "@eventlog-server/core"
import { Effect } from "effect"

/** Servers that are starting, failing over, busy or moving slots; and a loss, which is noticed once. */
const passingReplies = /^(LOST|LOADING|BUSY|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|READONLY|NOREPLICAS|UNBLOCKED|MOVED|ASK) /

/** What ioredis says of connections that were lost, can't be made, or don't answer. */
const lostConnections =
  /Connection is closed|Command timed out|connection close|max retries per request|isn't writeable|Failed to refresh slots|Too many Cluster redirections|ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN|sentinels? (?:is|are) unreachable|closed before|Cluster isn't ready/i

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** Whether the same call may succeed later by itself. What a server refuses for a reason, such as full memory, may not. */
export const isRetryable = (cause: unknown): boolean => {
  const message = messageOf(cause)
  return passingReplies.test(message) || lostConnections.test(message)
}

/** Whether a script said so, by an error that begins with this word. */
export const isReply = (cause: unknown, word: string): boolean => messageOf(cause).startsWith(`${word} `)

/** Every call of a port goes through here: it fails as the ports do. */
export const attempt = <A>(operation: string, call: () => Promise<A>): Effect.Effect<A, StorageError> =>
  Effect.tryPromise({
    try: call,
    catch: (cause) => new StorageError({ operation, retryable: isRetryable(cause), cause })
  })

/** The same for calls that an erased store refuses. */
export const attemptOn = <A>(
  operation: string,
  storeId: StoreId,
  call: () => Promise<A>
): Effect.Effect<A, StorageError | StoreErasedError> =>
  Effect.mapError(attempt(operation, call), (error) =>
    isReply(error.cause, "ERASED") ? new StoreErasedError({ storeId }) : error
  )
