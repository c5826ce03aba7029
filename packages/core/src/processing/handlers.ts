import { Cause, Context, Data, Deferred, Effect, Exit, Metric, Redacted } from "effect"
import { type EventJournal, EventLog } from "effect/eventlog"
import type { Reactivity } from "effect/reactivity"
import type { Author, FeedEntry } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Contain } from "../backend/StoreProgress.ts"
import { callContained } from "../containment/callContained.ts"
import { runDetached } from "../containment/runDetached.ts"
import { withSpan } from "../tracing/withSpan.ts"
import type { LogQuota } from "./logQuota.ts"
import { handlerDuration, handlerFailures } from "./metrics.ts"
import { type Handler, makePayloads, UndecodablePayloadError } from "./payloads.ts"

/** Who wrote the entry that a handler runs for: a device's public key, or `null` for the server. Handlers may read it. */
export class CurrentAuthor extends Context.Reference<Author>("@eventlog-server/core/CurrentAuthor", {
  defaultValue: () => null
}) {}

/** A handler ran longer than `handlerTimeout`. */
export class HandlerTimeoutError extends Data.TaggedError("HandlerTimeoutError")<{
  readonly event: string
  readonly millis: number
}> {
  override get message(): string {
    return `The handler of "${this.event}" did not end within ${this.millis} ms`
  }
}

/** An entry whose handler failed. It counts as processed: no entry holds up those behind it. */
export interface HandlerFailure {
  readonly storeId: StoreId
  readonly entry: EventJournal.Entry
  readonly sequence: number
  readonly author: Author
  readonly reason: "Failed" | "TimedOut" | "Undecodable"
  /** The error that the handler failed with or threw, a `HandlerTimeoutError` or an `UndecodablePayloadError`. */
  readonly cause: unknown
}

/** What running handlers takes. */
export interface HandlersOptions {
  readonly registry: Pick<EventLog.Registry["Service"], "handlers" | "reactivityKeys">
  readonly reactivity: Reactivity.Reactivity
  /** Milliseconds. */
  readonly handlerTimeout: number
  /** Done when a handler that still runs is to be left behind, since the server closes. */
  readonly abandon: Deferred.Deferred<void>
  readonly onHandlerFailure: (failure: HandlerFailure) => unknown
  /** A device may write as many entries that fail as it likes: not each of them is worth a line. */
  readonly quota: LogQuota
}

/** What became of an entry's handler. */
export interface Run {
  /** `Abandoned`: the server closes, and the entry doesn't count as processed. `TimedOut`: the handler may still be running. */
  readonly outcome: "Done" | "TimedOut" | "Abandoned"
  /** To be done when the entry counts as processed: tells of a failure, or invalidates the event's reactivity keys. */
  readonly settle: Effect.Effect<void>
}

/** How long a handler may run, in milliseconds, before it counts as slow: longer than any that only computes should. */
const slowMillis = 100

/** What a handler runs in. */
export interface HandlerCall<E> {
  readonly storeId: StoreId
  readonly contain: Contain<E>
  /** Done when the handler, or what it is to be told of, took longer than 100 ms: others needn't wait for it. */
  readonly slow: Effect.Effect<void>
}

/** The registered handlers, ready to run. */
export interface Handlers {
  /** Whether the event has a handler. */
  readonly has: (event: string) => boolean
  /** Runs the handler of an entry, if its event has one. Fails only where what contains it does. */
  readonly run: <E>(
    entry: FeedEntry,
    conflicts: ReadonlyArray<EventJournal.Entry>,
    call: HandlerCall<E>
  ) => Effect.Effect<Run, E>
  /** How many handlers failed so far. */
  readonly failures: () => number
}

/** An entry that no handler has to see. */
export const passed: Run = { outcome: "Done", settle: Effect.void }

const noPrivateKey = Redacted.make(new Uint8Array(32))

/** The identity that handlers see of a writer. The server knows no private keys: it is 32 zero bytes. */
const identityOf = (author: Author): EventLog.Identity["Service"] => ({
  publicKey: author ?? "eventlog-server",
  privateKey: noPrivateKey
})

/** What handlers find besides who wrote the entry. It is the same for one entry after the other, so it is merged once. */
const makeContexts = () => {
  const last = new WeakMap<Handler, { readonly ambient: Context.Context<never>; readonly merged: Handler["context"] }>()
  return (handler: Handler, ambient: Context.Context<never>): Handler["context"] => {
    const known = last.get(handler)
    if (known?.ambient === ambient) return known.merged
    const merged = Context.merge(handler.context, ambient)
    last.set(handler, { ambient, merged })
    return merged
  }
}

/** What is measured of the handlers of an event. */
const makeDurations = () => {
  const durations = new Map<string, typeof handlerDuration>()
  return (event: string): typeof handlerDuration => {
    let duration = durations.get(event)
    if (duration === undefined) {
      duration = Metric.withAttributes(handlerDuration, { event })
      durations.set(event, duration)
    }
    return duration
  }
}

const reasonOf = (error: unknown): HandlerFailure["reason"] =>
  error instanceof HandlerTimeoutError
    ? "TimedOut"
    : error instanceof UndecodablePayloadError
      ? "Undecodable"
      : "Failed"

/** Runs the handlers that `EventLog.group` registered, as effect's own runtime does for entries of a remote. */
export const makeHandlers = (options: HandlersOptions): Handlers => {
  const { abandon, handlerTimeout, onHandlerFailure, quota, reactivity, registry } = options
  const payloads = makePayloads()
  const contextOf = makeContexts()
  const durationOf = makeDurations()
  let failures = 0

  const invoke = (
    handler: Handler,
    storeId: StoreId,
    { author, entry }: FeedEntry,
    conflicts: ReadonlyArray<EventJournal.Entry>
  ): Effect.Effect<unknown, unknown> =>
    Effect.flatMap(payloads.decode(handler, entry), (payload) =>
      conflicts.length === 0
        ? handler.handler({ storeId, payload, entry, conflicts: [] })
        : Effect.flatMap(payloads.decodeAll(handler, conflicts), (decoded) =>
            handler.handler({ storeId, payload, entry, conflicts: decoded })
          )
    ).pipe(
      Effect.scoped,
      Effect.updateContext((ambient: Context.Context<never>) =>
        contextOf(handler, ambient).pipe(
          Context.add(EventLog.Identity, identityOf(author)),
          Context.add(CurrentAuthor, author)
        )
      ),
      Effect.trackDuration(durationOf(entry.event)),
      withSpan("eventlog.handler", () => ({
        "eventlog.store": storeId,
        "eventlog.event": entry.event,
        "eventlog.entry": entry.idString
      }))
    )

  const untilTimeIsUp = (slow: Effect.Effect<void>): Effect.Effect<void> =>
    handlerTimeout <= slowMillis
      ? Effect.sleep(handlerTimeout)
      : Effect.sleep(slowMillis).pipe(Effect.andThen(slow), Effect.andThen(Effect.sleep(handlerTimeout - slowMillis)))

  /** When nobody waits for the app any longer. It begins only where something didn't end at once. */
  const giveUp = (slow: Effect.Effect<void>) =>
    Effect.suspend(() =>
      Effect.raceFirst(
        Effect.as(Deferred.await(abandon), "Abandoned" as const),
        Effect.as(untilTimeIsUp(slow), "TimedOut" as const)
      )
    )

  const fail = (storeId: StoreId, { author, entry, remoteSequence }: FeedEntry, cause: Cause.Cause<unknown>) => {
    const error = Cause.squash(cause)
    const reason = reasonOf(error)
    const failure = { storeId, entry, sequence: remoteSequence, author, reason, cause: error }
    return Effect.sync(() => void failures++).pipe(
      Effect.andThen(quota.log(Effect.logError("An event handler failed", cause))),
      Effect.andThen(Metric.update(handlerFailures.pipe(Metric.withAttributes({ reason })), 1)),
      Effect.andThen(callContained("onHandlerFailure", onHandlerFailure, failure, quota.log)),
      Effect.annotateLogs({ storeId, sequence: remoteSequence, event: entry.event, entryId: entry.idString, reason }),
      // The logger is the app's, and may fail too.
      Effect.exit,
      Effect.asVoid
    )
  }

  const invalidate = (entry: EventJournal.Entry, slow: Effect.Effect<void>): Effect.Effect<void> => {
    if (!Object.hasOwn(registry.reactivityKeys, entry.event)) return Effect.void
    const keys = registry.reactivityKeys[entry.event] ?? []
    const told = Effect.forEach(keys, (key) => reactivity.invalidate({ [key]: [entry.primaryKey] }), { discard: true })
    return Effect.flatMap(runDetached(told, giveUp(slow)), (detached) => {
      if (detached._tag === "GaveUp") return quota.log(Effect.logError("A reactivity listener did not end in time"))
      const { exit } = detached
      return Exit.isFailure(exit) ? quota.log(Effect.logError("A reactivity listener failed", exit.cause)) : Effect.void
    })
  }

  const done = (
    feedEntry: FeedEntry,
    exit: Exit.Exit<unknown, unknown>,
    { slow, storeId }: HandlerCall<unknown>
  ): Run => ({
    outcome: "Done",
    settle: Exit.isFailure(exit) ? fail(storeId, feedEntry, exit.cause) : invalidate(feedEntry.entry, slow)
  })

  const leftBehind = (storeId: StoreId, feedEntry: FeedEntry, outcome: "Abandoned" | "TimedOut"): Run => {
    if (outcome === "Abandoned") return { outcome, settle: Effect.void }
    const timeout = new HandlerTimeoutError({ event: feedEntry.entry.event, millis: handlerTimeout })
    return { outcome, settle: fail(storeId, feedEntry, Cause.fail(timeout)) }
  }

  return {
    has: (event) => registry.handlers.has(event),
    run: (feedEntry, conflicts, call) => {
      const handler = registry.handlers.get(feedEntry.entry.event)
      if (handler === undefined) return Effect.succeed(passed)
      const work = call.contain(invoke(handler, call.storeId, feedEntry, conflicts))
      return Effect.flatMap(runDetached(work, giveUp(call.slow)), (detached) =>
        detached._tag === "Done"
          ? Effect.map(detached.exit, (exit) => done(feedEntry, exit, call))
          : Effect.succeed(leftBehind(call.storeId, feedEntry, detached.reason))
      )
    },
    failures: () => failures
  }
}
