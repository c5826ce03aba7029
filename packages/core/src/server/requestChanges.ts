import { Deferred, Effect, Exit, FiberSet, Latch, Queue, type Scope } from "effect"
import { EventJournal, EventLogRemote } from "effect/eventlog"
import { copyEntries } from "../backend/copyEntries.ts"
import type { Connections } from "../connection/connections.ts"
import type { Page } from "../feed/page.ts"
import type { Sink } from "../feed/sink.ts"
import type { DomainError } from "../wire/errors.ts"

type Changes = Queue.Queue<EventJournal.RemoteEntry, EventLogRemote.EventLogRemoteError>

/** Entries that wait for a reader before its subscription is paused. */
const capacity = 512

/** A sink that hands entries to a queue, with bytes of their own. What doesn't fit waits beside it, one page at most, until `pump` could offer it. */
const makeQueueSink = (queue: Changes): { readonly sink: Sink; readonly pump: Effect.Effect<never> } => {
  let waiting: ReadonlyArray<EventJournal.RemoteEntry> = []
  const overflow = Latch.makeUnsafe(false)
  const room = Latch.makeUnsafe(true)
  const sink: Sink = {
    deliver: (page: Page, from: number) => {
      const entries = copyEntries(page.entries.slice(from)).map(
        ({ entry, remoteSequence }) => new EventJournal.RemoteEntry({ entry, remoteSequence })
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

/**
 * Subscribes a key to its store, as a bounded queue that no connection carries. Whatever refuses or ends it fails the queue;
 * it is revoked and checked again as the subscriptions of connections are.
 */
export const requestChanges = (connections: Pick<Connections["Service"], "join">) =>
  Effect.fnUntraced(function* (
    publicKey: string,
    startSequence: number
  ): Effect.fn.Return<Queue.Dequeue<EventJournal.RemoteEntry, EventLogRemote.EventLogRemoteError>, never, Scope.Scope> {
    const queue: Changes = yield* Effect.acquireRelease(
      Queue.bounded<EventJournal.RemoteEntry, EventLogRemote.EventLogRemoteError>(capacity),
      Queue.shutdown
    )
    const { pump, sink } = makeQueueSink(queue)
    const run = yield* FiberSet.makeRuntime()
    const lost = Deferred.makeUnsafe<never, DomainError>()
    const { grants, subscriptions } = yield* Effect.acquireRelease(
      Effect.sync(() =>
        connections.join({
          begin: () => sink,
          run,
          onLost: (_, cause) => Deferred.doneUnsafe(lost, Exit.failCause(cause))
        })
      ),
      ({ leave }) => Effect.sync(leave)
    )
    yield* Effect.map(grants.subscribe({ publicKey, startSequence }), (opened) =>
      subscriptions.start({ publicKey, storeId: opened.storeId, id: undefined }, opened)
    ).pipe(
      Effect.andThen(Effect.raceFirst(pump, Deferred.await(lost))),
      Effect.mapError((cause) => new EventLogRemote.EventLogRemoteError({ method: "changes", cause })),
      Effect.catchCause((cause) => Queue.failCause(queue, cause)),
      Effect.forkScoped
    )
    return queue
  })
