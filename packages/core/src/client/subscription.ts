import { type Context, Effect, Queue, type Scope } from "effect"
import type { EventJournal, EventLog } from "effect/eventlog"
import { entryBytes } from "../wire/fields.ts"
import { backOff } from "./backoff.ts"
import { Delivery } from "./delivery.ts"
import { type ClientError, clientError, type RemoteRefusal } from "./errors.ts"
import { type Follower, follow } from "./follow.ts"
import { receivedEntries } from "./metrics.ts"
import type { RemoteContext } from "./remoteContext.ts"
import type { Session } from "./session.ts"

type Identity = EventLog.Identity["Service"]

/** One call of `changes`. */
interface Call {
  readonly identity: Identity
  readonly queue: Queue.Queue<EventJournal.RemoteEntry, ClientError>
  readonly services: Context.Context<never>
  /** How far the journal is with what was queued. */
  readonly delivery: Delivery
  /** On which session the server said that this was all. */
  caughtUpOn: Session | undefined
  /** The sequence to ask for: after what entered the queue. */
  next: number
  /** The head when the server accepted: what lies beyond it comes as it is stored. */
  head: number
  /** The id of the entry before `next`, where it came as it is stored: by it a server knows whether its history is still that. */
  lastEntryId: Uint8Array | undefined
  /** What came since the server was asked last. */
  received: { entries: number; bytes: number }
  /** How many times as much as usual to ask for: what was compacted may come in pieces that make no progress by themselves. */
  portions: number
}

/** How many portions are asked for at once, at most. */
const maxPortions = 1_024

/** How often a full queue is looked at. */
const drainMillis = 20

/**
 * Follows the store of an identity from a sequence on, through reconnects, until its scope closes. The queue fails
 * when the server refuses the subscription for good.
 *
 * The entries of one `Changes` enter the queue in one step, so that the journal takes them as one batch. After it the
 * sequence to ask for is the last one plus 1, which is what the journal arrives at too.
 */
export const makeSubscriber = ({ link, pending, prover, settings, status }: RemoteContext) => {
  const portionOf = ({ portions }: Call) => ({
    maxEntries: portions * settings.maxQueuedEntries,
    maxBytes: portions * settings.maxQueuedBytes
  })

  const take = (call: Call, entries: ReadonlyArray<EventJournal.RemoteEntry>): boolean => {
    const { entry, remoteSequence: last } = entries[entries.length - 1]!
    call.next = last + 1
    call.lastEntryId = last > call.head ? entry.id.slice() : undefined
    call.received.entries += entries.length
    for (const each of entries) call.received.bytes += entryBytes(each.entry)
    call.delivery.next(last)
    Queue.offerAllUnsafe(call.queue, entries)
    receivedEntries.updateUnsafe(entries.length, call.services)
    pending.settle(entries.map(({ entry }) => entry))
    const { maxBytes, maxEntries } = portionOf(call)
    return call.received.entries < maxEntries && call.received.bytes < maxBytes
  }

  /** Shows how far the journal is. A connection that ended meanwhile is caught up with nothing. */
  const show = (call: Call) => {
    const { committed, settled } = call.delivery
    const caughtUp = settled && call.caughtUpOn?.live === true
    status.set(caughtUp ? { cursor: committed, caughtUp } : { cursor: committed })
  }

  const followerOf = (call: Call, session: Session): Follower => {
    call.head = Number.POSITIVE_INFINITY
    call.received = { entries: 0, bytes: 0 }
    return {
      publicKey: call.identity.publicKey,
      startSequence: call.next,
      lastEntryId: call.lastEntryId,
      portion: portionOf(call),
      subscribed: (head) => {
        call.head = head
        status.succeeded("changes")
      },
      take: (entries) => take(call, entries),
      caughtUp: () => {
        call.caughtUpOn = session
        call.delivery.look()
        show(call)
      }
    }
  }

  /** A websocket can't be paused everywhere, so a portion is asked for when the consumer has taken the one before. */
  const drained = (call: Call): Effect.Effect<void> =>
    Effect.suspend(() =>
      Queue.sizeUnsafe(call.queue) === 0 ? Effect.void : Effect.andThen(Effect.sleep(drainMillis), drained(call))
    )

  /** Follows on one session, and answers the refusal if that is how it ended. */
  const followOnce = (call: Call): Effect.Effect<RemoteRefusal | undefined, ClientError> =>
    Effect.flatMap(link.session, (session) =>
      prover.prove(session, call.identity).pipe(
        Effect.andThen(Effect.suspend(() => follow(session, followerOf(call, session)))),
        Effect.andThen(drained(call)),
        Effect.as(undefined),
        Effect.catchTag("ConnectionFailure", () => Effect.succeed(undefined)),
        Effect.catchTag("RemoteRefusal", (refusal) => {
          if (refusal.reason === "NotProved") prover.forget(session, call.identity.publicKey)
          return Effect.succeed(refusal)
        })
      )
    )

  const run = Effect.fnUntraced(function* (call: Call): Effect.fn.Return<never, ClientError | RemoteRefusal> {
    let failures = 0
    while (true) {
      const before = call.next
      const refusal = yield* followOnce(call)
      call.portions = call.next > before ? 1 : Math.min(2 * call.portions, maxPortions)
      if (call.next > before) failures = 0
      if (refusal === undefined) continue
      if (!refusal.retryable) return yield* refusal
      status.failed(clientError("changes", refusal))
      yield* backOff(settings, ++failures)
    }
  })

  return Effect.fnUntraced(function* (options: {
    readonly identity: Identity
    readonly startSequence: number
  }): Effect.fn.Return<Queue.Dequeue<EventJournal.RemoteEntry, ClientError>, never, Scope.Scope> {
    const queue = yield* Queue.unbounded<EventJournal.RemoteEntry, ClientError>()
    const services = yield* Effect.context<never>()
    const next = Math.max(1, options.startSequence)
    status.set({ cursor: next - 1, caughtUp: false })
    const { identity } = options
    const call: Call = {
      identity,
      queue,
      services,
      delivery: new Delivery(queue, next - 1),
      caughtUpOn: undefined,
      next,
      head: Number.POSITIVE_INFINITY,
      lastEntryId: undefined,
      received: { entries: 0, bytes: 0 },
      portions: 1
    }
    yield* Effect.forkScoped(call.delivery.follow(() => show(call)))
    yield* run(call).pipe(
      link.while.bind(link),
      Effect.catch((error) => {
        // Whoever closed the client waits for no more entries, and effect would log a failure.
        if (error._tag === "RemoteRetired" && error.reason === "Closed") return Effect.void
        const failed = error._tag === "EventLogRemoteError" ? error : clientError("changes", error)
        if (error._tag === "RemoteRefusal") status.failed(failed)
        return Queue.fail(queue, failed)
      }),
      Effect.forkScoped
    )
    return queue
  })
}
