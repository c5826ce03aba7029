import { type Cause, Effect, Layer, Queue, type Scope, Stream } from "effect"
import { EventJournal } from "effect/eventlog"
import { FeedAdmin } from "../backend/FeedAdmin.ts"
import { type FeedEntry, FeedStore, type PageLimits } from "../backend/FeedStore.ts"
import { Storage } from "../backend/Storage.ts"
import type { FeedLostError, StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { defaultLimits } from "../wire/limits.ts"
import { layerOf, makeMemoryState } from "./backend.ts"

type Failure = StorageError | StoreErasedError | FeedLostError

const pageLimits: PageLimits = { maxEntries: defaultLimits.maxPageEntries, maxBytes: defaultLimits.maxPageBytes }

/** Entries that `changes` holds for a reader that is slower than the feed. */
const queueCapacity = 64

const remoteEntry = ({ entry, remoteSequence }: FeedEntry): EventJournal.RemoteEntry =>
  new EventJournal.RemoteEntry({ entry, remoteSequence }, { disableChecks: true })

/** Reads on from `from`, page by page, until nothing is left; answers where to look next time. */
const readOn = Effect.fnUntraced(function* (
  feeds: FeedStore["Service"],
  storeId: StoreId,
  from: number,
  onPage: (entries: ReadonlyArray<EventJournal.RemoteEntry>) => Effect.Effect<unknown>
): Effect.fn.Return<number, Failure> {
  let next = Math.max(1, from)
  while (true) {
    const { entries, head } = yield* feeds.read(storeId, next, pageLimits)
    if (entries.length > 0) yield* onPage(entries.map(remoteEntry))
    next += entries.length
    if (next > head) return next
  }
})

const write = Effect.fnUntraced(function* (
  feeds: FeedStore["Service"],
  storeId: StoreId,
  entries: ReadonlyArray<EventJournal.Entry>
) {
  const appended = yield* feeds.append(
    storeId,
    entries.map((entry) => ({ entry, author: null, transportOnly: false }))
  )
  return {
    sequenceNumbers: appended.map(({ sequence }) => sequence),
    committed: appended.flatMap(({ isNew, sequence }, index) =>
      isNew
        ? [remoteEntry({ entry: entries[index]!, remoteSequence: sequence, author: null, transportOnly: false })]
        : []
    )
  }
})

const entries = Effect.fnUntraced(function* (feeds: FeedStore["Service"], storeId: StoreId, startSequence: number) {
  const all: Array<EventJournal.RemoteEntry> = []
  yield* readOn(feeds, storeId, startSequence, (page) => Effect.sync(() => all.push(...page)))
  return all
})

const changes = (
  feeds: FeedStore["Service"],
  storeId: StoreId,
  startSequence: number
): Effect.Effect<Queue.Dequeue<EventJournal.RemoteEntry, Failure | Cause.Done>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const queue = yield* Effect.acquireRelease(
      Queue.bounded<EventJournal.RemoteEntry, Failure | Cause.Done>(queueCapacity),
      Queue.shutdown
    )
    let next = startSequence
    yield* feeds.wakeups(storeId).pipe(
      Stream.runForEach(() =>
        Effect.map(
          readOn(feeds, storeId, next, (page) => Queue.offerAll(queue, page)),
          (after) => {
            next = after
          }
        )
      ),
      Effect.catchCause((cause) => Queue.failCause(queue, cause)),
      Effect.forkScoped
    )
    return queue
  })

const makeStorage = (feeds: FeedStore["Service"], admin: FeedAdmin["Service"]): Storage["Service"] => ({
  getId: admin.id,
  write: ({ storeId, entries }) => write(feeds, storeId, entries),
  entries: (storeId, startSequence) => entries(feeds, storeId, startSequence),
  changes: (storeId, startSequence) => changes(feeds, storeId, startSequence)
})

/** The `Storage` view of a backend's `FeedStore`. */
export const layerStorage: Layer.Layer<Storage, never, FeedStore | FeedAdmin> = Layer.effect(
  Storage,
  Effect.gen(function* () {
    return makeStorage(yield* FeedStore, yield* FeedAdmin)
  })
)

/** A `Storage` and the ports below it, in memory, for as long as the layer. Each build starts empty. */
export const layerStorageMemory: Layer.Layer<Storage | FeedStore> = layerStorage.pipe(
  Layer.provideMerge(Layer.suspend(() => layerOf(makeMemoryState())))
)
