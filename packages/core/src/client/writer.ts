import { Effect, Metric, Result } from "effect"
import type { EventJournal, EventLog } from "effect/eventlog"
import { AckMemory } from "./ackMemory.ts"
import { batchWeight, refuseUnsendable, splitBacklog } from "./backlog.ts"
import { backOff } from "./backoff.ts"
import { type ClientError, ConnectionFailure, clientError, type RemoteRefusal } from "./errors.ts"
import { ackedEntries, rejectedEntries } from "./metrics.ts"
import type { RemoteContext } from "./remoteContext.ts"
import { writeEntries } from "./requests.ts"
import type { Session } from "./session.ts"

type Entry = EventJournal.Entry
type Identity = EventLog.Identity["Service"]

/** One call of `write`. */
interface Call {
  readonly identity: Identity
  readonly entries: ReadonlyArray<Entry>
  /** Entries that were refused by name and that this call leaves alone. */
  readonly aside: Set<string>
  /** The refusal of entries that must stay in the backlog: the call fails with it, after all others went through. */
  refused: RemoteRefusal | undefined
}

/**
 * Brings a backlog to the server: in batches that it takes, several under way, going on with the next connection where
 * the last one ended. Succeeds when no entry is left to be sent.
 *
 * A refusal that names entries sets them aside and lets the others pass. Refused for good they go to `onRejected`. If
 * there is none, or they may be accepted later, the call fails in the end, and effect calls again with the backlog:
 * new entries of the device so pass as well.
 */
export const makeWriter = ({ link, pending, prover, settings, status }: RemoteContext) => {
  const memory = new AckMemory()

  const settle = (call: Call, entries: ReadonlyArray<Entry>) => {
    memory.add(call.identity.publicKey, entries)
    pending.settle(entries)
  }

  const reject = Effect.fnUntraced(function* (call: Call, entries: ReadonlyArray<Entry>, refusal: RemoteRefusal) {
    const { onRejected } = settings
    for (const entry of entries) call.aside.add(entry.idString)
    if (onRejected === undefined || refusal.retryable) {
      call.refused ??= refusal
      return
    }
    // Settled first: a cut while the callback runs must not bring them here again.
    settle(call, entries)
    yield* Metric.update(rejectedEntries, entries.length)
    yield* Effect.tryPromise(async () => onRejected({ entries, refusal })).pipe(
      Effect.catchCause((cause) => Effect.logError("onRejected failed", cause))
    )
  })

  const sendOnce = Effect.fnUntraced(function* (session: Session, call: Call, batch: ReadonlyArray<Entry>) {
    const ack = yield* session.window.within(batchWeight(batch), writeEntries(session, call.identity.publicKey, batch))
    if (ack.sequenceNumbers.length !== batch.length) {
      const failure = new ConnectionFailure({ reason: "Protocol", message: "An Ack has a sequence for each entry" })
      session.end(failure)
      return yield* failure
    }
    settle(call, batch)
    yield* Metric.update(ackedEntries, batch.length)
  })

  /** Deals with a refused batch: answers what of it to send again, or fails if the server won't have it. */
  const refused = Effect.fnUntraced(function* (
    session: Session,
    call: Call,
    batch: ReadonlyArray<Entry>,
    refusal: RemoteRefusal,
    failures: number
  ): Effect.fn.Return<ReadonlyArray<Entry>, RemoteRefusal> {
    const isNamed = namedBy(refusal)
    const culprits = batch.filter(isNamed)
    if (culprits.length > 0) {
      yield* reject(call, culprits, refusal)
      return batch.filter((entry) => !isNamed(entry))
    }
    if (refusal.reason === "NotProved") prover.forget(session, call.identity.publicKey)
    if (!refusal.retryable) return yield* refusal
    status.failed(clientError("write", refusal))
    yield* backOff(settings, failures)
    return batch
  })

  /** Sends a batch until the server took it, or all of it but what it refused by name. */
  const send = Effect.fnUntraced(function* (
    session: Session,
    call: Call,
    entries: ReadonlyArray<Entry>
  ): Effect.fn.Return<void, RemoteRefusal | ConnectionFailure> {
    let batch = entries
    for (let failures = 1; batch.length > 0; failures++) {
      const sent = yield* Effect.result(sendOnce(session, call, batch))
      if (Result.isSuccess(sent)) return
      if (sent.failure._tag === "ConnectionFailure") return yield* sent.failure
      batch = yield* refused(session, call, batch, sent.failure, failures)
    }
  })

  /** Sends what is left of the backlog over one session. */
  const sendAll = Effect.fnUntraced(function* (session: Session, call: Call) {
    yield* prover.prove(session, call.identity)
    const fitting: Array<Entry> = []
    for (const entry of memory.left(call.identity.publicKey, call.entries)) {
      if (call.aside.has(entry.idString)) continue
      const refusal = refuseUnsendable(entry, session.limits)
      if (refusal === undefined) fitting.push(entry)
      else yield* reject(call, [entry], refusal)
    }
    yield* Effect.forEach(splitBacklog(fitting, session.limits), (batch) => send(session, call, batch), {
      concurrency: "unbounded",
      discard: true
    })
    if (call.refused !== undefined) return yield* call.refused
  })

  const run = (call: Call): Effect.Effect<void, ClientError> =>
    link.session.pipe(
      Effect.flatMap((session) => sendAll(session, call)),
      Effect.retry({ while: (error) => error._tag === "ConnectionFailure" }),
      link.while.bind(link),
      Effect.mapError((error) => {
        // An EventLogRemoteError already says what failed: the proof.
        if (error._tag === "EventLogRemoteError") return error
        const failed = clientError("write", error)
        if (error._tag === "RemoteRefusal") status.failed(failed)
        return failed
      })
    )

  return Effect.fn("EventLogClient.write")(function* (options: {
    readonly identity: Identity
    readonly entries: ReadonlyArray<Entry>
  }): Effect.fn.Return<ReadonlyArray<never>, ClientError> {
    const { entries, identity } = options
    yield* Effect.annotateCurrentSpan({ entries: entries.length })
    pending.add(memory.left(identity.publicKey, entries))
    yield* run({ identity, entries, aside: new Set(), refused: undefined })
    memory.clear(identity.publicKey)
    status.succeeded("write")
    // Acks confirm and move no cursor: only the stream does.
    return []
  })
}

const namedBy = (refusal: RemoteRefusal): ((entry: Entry) => boolean) => {
  const ids = new Set(refusal.entryIds.map((id) => id.join()))
  return ids.size === 0 ? () => false : (entry) => ids.has(entry.id.join())
}
