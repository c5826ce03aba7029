import { FeedLostError, StorageError, StoreErasedError, type StoreId } from "@eventlog-server/core/backend"
import { Effect } from "effect"

/** Servers that are starting, failing over, busy or moving slots; and entries that are gone, where nobody else is told. */
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

/** The number that a script said with a word; `undefined` where it said something else. */
export const numberOf = (cause: unknown, word: string): number | undefined =>
  isReply(cause, word) ? Number(messageOf(cause).split(" ")[1]) : undefined

/** What a member of a port fails with where Redis did. */
export const storageError = (operation: string, cause: unknown): StorageError =>
  new StorageError({ operation, retryable: isRetryable(cause), cause })

/** Every call of a port goes through here: it fails as the ports do. */
export const attempt = <A>(operation: string, call: () => Promise<A>): Effect.Effect<A, StorageError> =>
  Effect.tryPromise({ try: call, catch: (cause) => storageError(operation, cause) })

const translating =
  <F>(translate: (error: StorageError) => F | undefined) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | F> =>
    Effect.mapError(effect, (error) => (error instanceof StorageError ? (translate(error) ?? error) : error))

/** Fails with what it is where a script said that the store was erased. */
export const orErased = (storeId: StoreId) =>
  translating(({ cause }) => (isReply(cause, "ERASED") ? new StoreErasedError({ storeId }) : undefined))

/** Fails with what it is where a script said that an entry is gone. */
export const orLost = (storeId: StoreId) =>
  translating(({ cause }) => {
    const sequence = numberOf(cause, "LOST")
    return sequence === undefined ? undefined : new FeedLostError({ storeId, sequence })
  })
