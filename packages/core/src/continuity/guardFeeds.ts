import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { FeedStore, KnownEntry } from "../backend/FeedStore.ts"
import { FeedLostError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { FreshEntries } from "./FreshEntries.ts"
import type { KnownEntries } from "./KnownEntries.ts"

/** The histories that feeds are of. */
export interface Histories {
  /** The history that a call is about. */
  readonly begin: Effect.Effect<number>
  /** The backend's id in a history. */
  readonly remoteIdOf: (began: number) => EventJournal.RemoteId | undefined
  /** Whether a history is the one that there is, and may be remembered. */
  readonly isCurrent: (began: number) => boolean
  /** Whether there is another history by now. */
  readonly isBroken: (began: number) => boolean
  /** A call met a loss. Ends when the backend has its new id. */
  readonly onLost: (lost: FeedLostError, began: number) => Effect.Effect<void>
}

/** What a node remembers of feeds. */
export interface Memory {
  readonly known: KnownEntries
  readonly fresh: FreshEntries
}

/** Feeds that present what is known of them, and remember what they show. */
export const guardFeeds = (
  feeds: FeedStore["Service"],
  { fresh, known }: Memory,
  { begin, isBroken, isCurrent, onLost, remoteIdOf }: Histories
): FeedStore["Service"] => {
  const broken = (storeId: StoreId) => new FeedLostError({ storeId, sequence: undefined })

  const onError = (storeId: StoreId, error: unknown, began: number): Effect.Effect<void> => {
    if (error instanceof StoreErasedError) {
      known.forget(storeId)
      fresh.forget(storeId)
    }
    return error instanceof FeedLostError ? onLost(error, began) : Effect.void
  }

  const guarded = <A, E>(
    storeId: StoreId,
    call: (last: KnownEntry | undefined) => Effect.Effect<A, E>,
    see: (result: A) => void
  ): Effect.Effect<A, E | FeedLostError> =>
    Effect.flatMap(begin, (began): Effect.Effect<A, E | FeedLostError> => {
      if (isBroken(began)) return Effect.fail(broken(storeId))
      const last = known.last(storeId)
      return Effect.matchEffect(call(last && { ...last, remoteId: remoteIdOf(began) }), {
        onSuccess: (result) => {
          if (isCurrent(began)) see(result)
          return Effect.succeed(result)
        },
        onFailure: (error) => Effect.andThen(onError(storeId, error, began), Effect.fail(error))
      })
    })

  return {
    append: (storeId, records) =>
      guarded(
        storeId,
        (last) => feeds.append(storeId, records, last),
        (slots) => {
          known.seeAppended(storeId, records, slots)
          fresh.add(storeId, records, slots)
        }
      ),
    read: (storeId, from, options) =>
      guarded(
        storeId,
        (last) => feeds.read(storeId, from, options, last),
        ({ entries }) => {
          const last = entries.at(-1)
          if (last !== undefined) known.see(storeId, last.remoteSequence, last.entry.id)
        }
      ),
    head: feeds.head,
    bucket: feeds.bucket,
    bucketBounds: feeds.bucketBounds,
    survivors: feeds.survivors,
    wakeups: feeds.wakeups
  }
}
