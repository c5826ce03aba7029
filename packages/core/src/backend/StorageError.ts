import { Data, Formatter } from "effect"

/**
 * A backend could not do what it was asked: the database is away, a disk is full, a row is corrupt.
 *
 * It is an answer, never a defect: rooms wait and retry when it is `retryable`, and tell the client to.
 */
export class StorageError extends Data.TaggedError("StorageError")<{
  /** The port member that failed, such as `"FeedStore.append"`. */
  readonly operation: string
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean
  /** What the driver said. It goes to logs, never to clients. */
  readonly cause: unknown
  /** What somebody has to do about it, as a sentence, where the backend knows: `"Run ensureSchema"`. */
  readonly advice?: string | undefined
}> {
  // Made at once: test runners replace causes by copies, of which a getter can tell nothing any more.
  override readonly message: string =
    `${this.operation} failed${this.retryable ? " for now" : ""}: ${reasonOf(this.cause)}${adviceOf(this)}`
}

/** Node says of a host with several addresses that each refused, by an error that has no text of its own. */
const reasonOf = (cause: unknown): string =>
  cause instanceof AggregateError && cause.message === ""
    ? cause.errors.map((error) => Formatter.format(error)).join(", ")
    : Formatter.format(cause)

const adviceOf = ({ advice }: { readonly advice?: string | undefined }): string =>
  advice === undefined ? "" : `. ${advice}`

/**
 * The store was erased (`FeedAdmin.erase`). Its id is never used again; nothing can be read from or written to it.
 */
export class StoreErasedError extends Data.TaggedError("StoreErasedError")<{
  readonly storeId: string
}> {
  override get message(): string {
    return `Store "${this.storeId}" was erased`
  }
}

/**
 * A feed doesn't hold an entry that was committed to it: nothing can be read or written by what was known of it. Devices
 * have to be told, and send what they hold; handlers go on from the cursor that the backend has.
 */
export class FeedLostError extends Data.TaggedError("FeedLostError")<{
  readonly storeId: string
  /** The sequence of an entry that is gone; `undefined` where all that is known is that the history is another one. */
  readonly sequence: number | undefined
}> {
  override get message(): string {
    return this.sequence === undefined
      ? `The history of store "${this.storeId}" is another one than before`
      : `The feed of store "${this.storeId}" lost entries that were committed: the one with sequence ${this.sequence} is gone`
  }
}
