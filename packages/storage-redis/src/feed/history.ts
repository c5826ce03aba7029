import type { StorageError, StoreErasedError, StoreId } from "@eventlog-server/core"
import { Effect } from "effect"
import type { Argument } from "../client.ts"
import { attempt, isReply } from "../errors.ts"
import type { RedisNode } from "../node.ts"
import type { SeenEntry } from "./SeenEntries.ts"

/** Tells a script which entry must still be there. */
export const seenArguments = (seen: SeenEntry | undefined): ReadonlyArray<Argument> =>
  seen === undefined ? ["", ""] : [seen.sequence, Buffer.from(seen.id)]

/**
 * Reports a loss, once on this node, and gives the backend a new id: devices that connect then take the server for another
 * one, and send it what they have, the lost entries among it.
 */
const report = ({ identity, seen }: RedisNode, storeId: StoreId): Effect.Effect<void> =>
  Effect.suspend(() => {
    const last = seen.take(storeId)
    if (last === undefined) return Effect.void
    return Effect.logError(
      `Redis lost entries that it had committed: the one with sequence ${last.sequence} is gone. The backend gets a new id, so that devices send what they have`
    ).pipe(
      Effect.andThen(
        attempt("FeedAdmin.rotateId", () =>
          last.remoteId === undefined ? identity.rotate() : identity.replace(last.remoteId)
        )
      ),
      // The next call notices it again.
      Effect.tapError(() => Effect.sync(() => seen.see(storeId, last))),
      Effect.catch((error) => Effect.logError("The backend could not be given a new id yet", error)),
      Effect.annotateLogs({ storeId, lostSequence: last.sequence })
    )
  }).pipe(Effect.uninterruptible)

/** Reports when Redis lost an entry that this node has seen. The call fails for now; the next one meets the new history. */
export const noticingLoss =
  (node: RedisNode, storeId: StoreId) =>
  <A>(effect: Effect.Effect<A, StorageError | StoreErasedError>): Effect.Effect<A, StorageError | StoreErasedError> =>
    Effect.tapError(effect, (error) =>
      error._tag === "StorageError" && isReply(error.cause, "LOST") ? report(node, storeId) : Effect.void
    )
