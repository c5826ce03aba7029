import { Effect } from "effect"
import type { FeedStore } from "../backend/FeedStore.ts"
import type { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { FailureReason, FailuresQuery, KeptFailure, StoreProgress } from "../backend/StoreProgress.ts"
import { awaitsDeploy } from "./failures.ts"
import type { Handlers } from "./handlers.ts"
import type { StoreLoops } from "./storeLoops.ts"

/** Failures that are looked at at a time. */
const pageSize = 256

/** Which failures are to be tried again. */
export interface RetryQuery {
  /** @default those of all stores */
  readonly storeId?: StoreId | undefined
  /** @default those of all reasons */
  readonly reason?: FailureReason | undefined
}

/** What can be done about failures that are kept. */
export interface KeptFailures {
  readonly list: (query: FailuresQuery) => Effect.Effect<ReadonlyArray<KeptFailure>, StorageError>
  /** Has an entry tried again, soon, in its store's turn, by whoever holds the lease. */
  readonly retry: (storeId: StoreId, sequence: number) => Effect.Effect<void, StorageError>
  /** The same for all that are kept now and that the query names; returns how many. */
  readonly retryAll: (query: RetryQuery) => Effect.Effect<number, StorageError>
  /** Forgets a failure: its entry will not be handled. */
  readonly discard: (storeId: StoreId, sequence: number) => Effect.Effect<void, StorageError>
  /** Has those tried again that could not be decoded, or had no handler, and that can be run by this node. */
  readonly retryAfterDeploy: Effect.Effect<void, StorageError>
}

/** What failures are kept in, and tried again by. */
export interface KeptFailuresOptions {
  readonly feeds: FeedStore["Service"]
  readonly progress: StoreProgress["Service"]
  readonly handlers: Handlers
  readonly loops: Pick<StoreLoops, "look" | "retry">
}

export const makeKeptFailures = ({ feeds, handlers, loops, progress }: KeptFailuresOptions): KeptFailures => {
  const { failures } = progress

  /** Makes failures due that are chosen among those that are kept, page by page. Returns how many. */
  const retryChosen = Effect.fnUntraced(function* <E>(
    storeId: StoreId | undefined,
    isChosen: (failure: KeptFailure) => Effect.Effect<boolean, E>
  ): Effect.fn.Return<number, StorageError | E> {
    let count = 0
    let after: FailuresQuery["after"]
    while (true) {
      const page = yield* failures.list({ storeId, after, limit: pageSize })
      const chosen = yield* Effect.filter(page, isChosen)
      for (const [store, sequences] of byStore(chosen)) {
        yield* failures.retry(store, sequences)
        loops.retry(store)
      }
      count += chosen.length
      after = page.at(-1)
      if (page.length < pageSize) return count
    }
  })

  /** Whether the entry of a failure can be run by now. One that is gone is seen to when it is tried again. */
  const canRun = ({ sequence, storeId }: KeptFailure): Effect.Effect<boolean, StorageError> =>
    feeds.read(storeId, sequence, { maxEntries: 1, maxBytes: 1 }).pipe(
      Effect.flatMap(({ entries: [found] }) =>
        found === undefined ? Effect.succeed(true) : handlers.canRun(found.entry)
      ),
      // Nothing was presented that could be lost.
      Effect.catchTags({ StoreErasedError: () => Effect.succeed(false), FeedLostError: () => Effect.succeed(true) })
    )

  return {
    list: failures.list,
    retry: (storeId, sequence) => Effect.map(failures.retry(storeId, [sequence]), () => loops.retry(storeId)),
    retryAll: ({ reason, storeId }) =>
      retryChosen(storeId, (failure) => Effect.succeed(reason === undefined || failure.reason === reason)),
    discard: (storeId, sequence) => Effect.map(failures.settle(storeId, [sequence]), () => loops.look(storeId)),
    retryAfterDeploy: Effect.asVoid(
      retryChosen(undefined, (failure) => (awaitsDeploy(failure.reason) ? canRun(failure) : Effect.succeed(false)))
    )
  }
}

const byStore = (failures: ReadonlyArray<KeptFailure>): ReadonlyMap<StoreId, ReadonlyArray<number>> => {
  const sequences = new Map<StoreId, Array<number>>()
  for (const { sequence, storeId } of failures) {
    const ofStore = sequences.get(storeId)
    if (ofStore === undefined) sequences.set(storeId, [sequence])
    else ofStore.push(sequence)
  }
  return sequences
}
