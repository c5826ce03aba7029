import { Deferred, type Duration, Effect, Latch, Queue, type Scope } from "effect"
import { EventJournal, EventLogRemote } from "effect/eventlog"
import { EventLogServerStoreRegistryError } from "../backend/EventLogServerStoreRegistry.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { type Access, type AccessError, isOutage } from "../connection/access.ts"
import type { Feed } from "../feed/feed.ts"
import type { Page } from "../feed/page.ts"
import type { Sink } from "../feed/sink.ts"

type Changes = Queue.Queue<EventJournal.RemoteEntry, EventLogRemote.EventLogRemoteError>

/** Entries that wait for a reader before its subscription is paused. */
const capacity = 512

/** A sink that hands entries to a queue. What doesn't fit waits beside it, one page at most, until `pump` could offer it. */
const makeQueueSink = (queue: Changes): { readonly sink: Sink; readonly pump: Effect.Effect<never> } => {
  let waiting: ReadonlyArray<EventJournal.RemoteEntry> = []
  const overflow = Latch.makeUnsafe(false)
  const room = Latch.makeUnsafe(true)
  const sink: Sink = {
    deliver: (page: Page, from: number) => {
      const entries = page.entries
        .slice(from)
        .map(
          ({ entry, remoteSequence }) =>
            new EventJournal.RemoteEntry({ entry, remoteSequence }, { disableChecks: true })
        )
      waiting = Queue.offerAllUnsafe(queue, entries)
      if (waiting.length === 0) return
      room.closeUnsafe()
      overflow.openUnsafe()
    },
    ready: () => waiting.length === 0,
    drained: room.await,
    caughtUp: () => {}
  }
  const pump = overflow.await.pipe(
    Effect.andThen(Effect.suspend(() => Queue.offerAll(queue, waiting))),
    Effect.andThen(
      Effect.sync(() => {
        waiting = []
        overflow.closeUnsafe()
        room.openUnsafe()
      })
    ),
    Effect.forever
  )
  return { sink, pump }
}

/** Subscriptions that no connection carries. */
export interface ChangesQueues {
  /**
   * Subscribes a key to its store, as a bounded queue. Whatever refuses or ends it fails the queue; like a connection's
   * subscription it is checked again every `reauthorizeInterval`.
   */
  readonly subscribe: (
    publicKey: string,
    startSequence: number
  ) => Effect.Effect<Queue.Dequeue<EventJournal.RemoteEntry, EventLogRemote.EventLogRemoteError>, never, Scope.Scope>
  /** Ends the subscriptions of a key that was removed. */
  readonly revoke: (publicKey: string) => void
}

interface Grant {
  readonly publicKey: string
  readonly revoked: Deferred.Deferred<never, EventLogServerStoreRegistryError>
}

const notMapped = (publicKey: string) => new EventLogServerStoreRegistryError({ reason: "NotMapped", publicKey })

export const makeChangesQueues = (
  access: Access["Service"],
  feed: Feed["Service"],
  reauthorizeInterval: Duration.Duration
): ChangesQueues => {
  const grants = new Set<Grant>()

  const grant = (publicKey: string) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const grant: Grant = { publicKey, revoked: Deferred.makeUnsafe() }
        grants.add(grant)
        return grant
      }),
      (grant) => Effect.sync(() => grants.delete(grant))
    )

  /** Fails when the key may not read the store any more. */
  const watch = (publicKey: string, storeId: StoreId): Effect.Effect<never, AccessError> =>
    Effect.sleep(reauthorizeInterval).pipe(
      Effect.andThen(access.read(publicKey)),
      Effect.flatMap((current) => (current === storeId ? Effect.void : Effect.fail(notMapped(publicKey)))),
      Effect.catchIf(isOutage, () => Effect.void),
      Effect.forever
    )

  const deliver = Effect.fnUntraced(function* (publicKey: string, startSequence: number, sink: Sink) {
    const storeId = yield* access.read(publicKey)
    const opened = yield* feed.open(storeId, startSequence)
    return yield* Effect.raceFirst(opened.run(sink), watch(publicKey, storeId))
  })

  return {
    subscribe: Effect.fnUntraced(function* (publicKey, startSequence) {
      const queue = yield* Effect.acquireRelease(
        Queue.bounded<EventJournal.RemoteEntry, EventLogRemote.EventLogRemoteError>(capacity),
        Queue.shutdown
      )
      const { revoked } = yield* grant(publicKey)
      const { pump, sink } = makeQueueSink(queue)
      yield* Effect.raceAllFirst([deliver(publicKey, startSequence, sink), pump, Deferred.await(revoked)]).pipe(
        Effect.mapError((cause) => new EventLogRemote.EventLogRemoteError({ method: "changes", cause })),
        Effect.catchCause((cause) => Queue.failCause(queue, cause)),
        Effect.forkScoped
      )
      return queue
    }),
    revoke: (publicKey) => {
      for (const grant of grants) {
        if (grant.publicKey === publicKey) Deferred.doneUnsafe(grant.revoked, Effect.fail(notMapped(publicKey)))
      }
    }
  }
}
