import { Clock, Context, Deferred, Effect, Fiber, Layer, Schedule, type Scope, Semaphore } from "effect"
import type { EventJournal } from "effect/eventlog"
import { FeedAdmin, type Rotation } from "../backend/FeedAdmin.ts"
import { type FeedPage, FeedStore, type PageLimits } from "../backend/FeedStore.ts"
import type { FeedLostError, StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { callContained } from "../containment/callContained.ts"
import { FreshEntries } from "./FreshEntries.ts"
import { guardFeeds, type Memory } from "./guardFeeds.ts"
import { KnownEntries } from "./KnownEntries.ts"
import { lostFeeds } from "./metrics.ts"

type RemoteId = EventJournal.RemoteId

/** The feeds in one history of the backend. */
export interface View {
  /** When the history becomes another one, everything that is asked of these fails with a `FeedLostError`. */
  readonly feeds: FeedStore["Service"]
  /**
   * A page of what this node has just committed itself, which need not be read back: the one that `read` would return, but
   * that its head may be lower, since what others appended behind isn't known here. It is not to be changed. `undefined` where
   * it has to be read.
   */
  readonly fresh: (storeId: StoreId, from: number, limits: PageLimits) => FeedPage | undefined
  /** The backend's id in this history; `undefined` while nobody has read it. */
  readonly remoteId: () => EventJournal.RemoteId | undefined
}

/** A store whose feed lost entries that were committed, and the sequence of one that is gone. */
export interface FeedLoss {
  readonly storeId: StoreId
  readonly sequence: number | undefined
}

/**
 * What this node knows of the backend's history, and that it notices when that becomes another one: an asynchronous replica
 * took over, a backup was restored, a store lost its tail. Every call presents the last entry that the node knows to be
 * committed in the store. Where it is gone, the backend gets a new id, once for all nodes, so that devices send what they
 * hold, and whoever read on from before has to begin anew. An id that somebody else changed means the same.
 *
 * With it comes the `FeedStore` that the rooms use: the backend's, guarded.
 */
export class Continuity extends Context.Service<
  Continuity,
  {
    /** The backend's id, which is asked for each time: another node may have changed it. It belongs to the caller. */
    readonly id: Effect.Effect<RemoteId, StorageError>
    /**
     * The same as it was a quarter of a second ago at most, for those who come in crowds: they share one look. Called, it
     * returns an `Exit` where there is nothing to wait for.
     */
    readonly recentId: () => Effect.Effect<RemoteId, StorageError>
    /** A view of the history that there is now, for those who read on and on. */
    readonly view: () => View
    /** Calls back when the history has become another one, with the backend's new id, until the scope closes. It may not throw. */
    readonly onBroken: (listener: (id: RemoteId) => void) => Effect.Effect<void, never, Scope.Scope>
  }
>()("@eventlog-server/core/Continuity") {}

/** How long an id that was read is recent. */
const recentMillis = 250

/** 100 ms, doubling up to 2 s, with jitter: a loss mostly is noticed while the backend comes back. */
const untilAnswered = Schedule.min([Schedule.exponential(100), Schedule.spaced(2_000)]).pipe(Schedule.jittered)

const isSame = (a: RemoteId, b: RemoteId): boolean => a.every((byte, index) => byte === b[index])

const make = Effect.fnUntraced(function* (onFeedLost: (loss: FeedLoss) => unknown) {
  const feeds = yield* FeedStore
  const admin = yield* FeedAdmin
  const scope = yield* Effect.scope
  const context = yield* Effect.context<never>()
  const clock = yield* Clock.Clock
  const memory: Memory = { known: new KnownEntries(), fresh: new FreshEntries() }
  const listeners = new Set<(id: RemoteId) => void>()
  const oneByOne = Semaphore.makeUnsafe(1)
  /** The backend's ids, in the order in which this node has met them: each is another history. */
  const ids: Array<RemoteId | undefined> = [undefined]
  let epoch = 0
  /** When the id in force was read. */
  let readAt = Number.NEGATIVE_INFINITY
  /** A look at the id that is under way. */
  let looking: Deferred.Deferred<RemoteId, StorageError> | undefined

  /** The id in force. Another one than before ends what was known. */
  const learn = (fresh: RemoteId): void => {
    const before = ids[epoch]
    if (before !== undefined && isSame(before, fresh)) return
    if (before !== undefined) epoch++
    ids[epoch] = fresh
    if (before === undefined) return
    memory.known.forgetAll()
    memory.fresh.forgetAll()
    for (const listener of listeners) listener(fresh)
  }

  const idInForce = (): RemoteId => ids[epoch]!.slice() as RemoteId

  const readId = Effect.suspend(() => {
    const began = epoch
    const beganAt = clock.currentTimeMillisUnsafe()
    return Effect.map(admin.id, (fresh) => {
      // An id that was read before the history became another one says nothing of now.
      if (began === epoch) learn(fresh)
      readAt = Math.max(readAt, beganAt)
      return idInForce()
    })
  })

  /** One look for all who want one now. It is nobody's own: nobody loses it when another one leaves. */
  const look = (): Effect.Effect<RemoteId, StorageError> => {
    if (looking !== undefined) return Deferred.await(looking)
    const look = Deferred.makeUnsafe<RemoteId, StorageError>()
    looking = look
    const read = Effect.onExit(readId, (exit) => {
      looking = undefined
      return Deferred.done(look, exit)
    })
    return Effect.andThen(Effect.forkIn(read, scope, { startImmediately: true }), Deferred.await(look))
  }

  const recentId = (): Effect.Effect<RemoteId, StorageError> =>
    clock.currentTimeMillisUnsafe() - readAt < recentMillis
      ? Effect.succeed(idInForce())
      : Effect.map(Effect.suspend(look), (id) => id.slice() as RemoteId)

  const report = ({ message, sequence, storeId }: FeedLostError, { isNew }: Rotation): Effect.Effect<void> =>
    (isNew
      ? Effect.logError(`${message}. The backend gets a new id, so that devices send what they hold`).pipe(
          Effect.andThen(callContained("onFeedLost", onFeedLost, { storeId: storeId as StoreId, sequence }))
        )
      : Effect.logWarning(`${message}. The backend has a new id already`)
    ).pipe(Effect.annotateLogs({ storeId, sequence }), Effect.exit, Effect.asVoid)

  const rotate = Effect.fnUntraced(function* (lost: FeedLostError) {
    let hasFailed = false
    const current = ids[epoch]
    const expected = current === undefined ? yield* Effect.retry(admin.id, untilAnswered) : current
    const rotation = yield* admin.rotateId(expected).pipe(
      Effect.tapError((error) => {
        hasFailed = true
        return Effect.logWarning("The backend could not be given a new id yet", error)
      }),
      Effect.retry(untilAnswered)
    )
    learn(rotation.id)
    lostFeeds.updateUnsafe(1, context)
    // The call that failed may have done it.
    yield* report(lost, { ...rotation, isNew: rotation.isNew || hasFailed })
  })

  /** A call of the history `began` met a loss. Its caller may be interrupted; what is to be done now may not. */
  const onLost = (lost: FeedLostError, began: number): Effect.Effect<void> =>
    oneByOne
      .withPermits(1)(Effect.suspend(() => (began === epoch ? rotate(lost) : Effect.void)))
      .pipe(Effect.orDie, Effect.forkIn(scope), Effect.flatMap(Fiber.join))

  const guard = (epochOf: () => number) =>
    guardFeeds(feeds, memory, {
      /** What is remembered of a history belongs to an id, so that has to be known before. */
      begin: Effect.suspend(() =>
        ids[epoch] === undefined ? Effect.as(Effect.ignore(readId), epochOf()) : Effect.succeed(epochOf())
      ),
      remoteIdOf: (began) => ids[began],
      isCurrent: (began) => began === epoch && ids[epoch] !== undefined,
      isBroken: (began) => began !== epoch,
      onLost
    })

  return Context.make(
    FeedStore,
    guard(() => epoch)
  ).pipe(
    Context.add(Continuity, {
      id: readId,
      recentId,
      view: () => {
        const began = epoch
        return {
          feeds: guard(() => began),
          fresh: (storeId, from, limits) => (began === epoch ? memory.fresh.page(storeId, from, limits) : undefined),
          remoteId: () => ids[began]
        }
      },
      onBroken: (listener) =>
        Effect.acquireRelease(
          Effect.sync(() => void listeners.add(listener)),
          () => Effect.sync(() => void listeners.delete(listener))
        )
    })
  )
})

/**
 * The room of continuity: a backend's feeds, guarded.
 *
 * @param onFeedLost told once of a loss, by the node that gave the backend its new id. What it throws is logged
 */
export const layerContinuity = (
  onFeedLost: (loss: FeedLoss) => unknown
): Layer.Layer<Continuity | FeedStore, never, FeedStore | FeedAdmin> => Layer.effectContext(make(onFeedLost))
