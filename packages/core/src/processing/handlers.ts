import { Cause, Clock, Context, Duration, Effect, Exit, type Fiber, Metric, Redacted, Schema } from "effect"
import { type EventJournal, EventLog } from "effect/eventlog"
import type { Reactivity } from "effect/reactivity"
import type { Author, FeedEntry } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Contain } from "../backend/StoreProgress.ts"
import type { LogQuota } from "../containment/logQuota.ts"
import { isThenable, LazySignal, runReturned, settlementOf } from "../containment/plainFunction.ts"
import { withSpan } from "../tracing/withSpan.ts"
import type { Conflicts } from "./conflicts.ts"
import {
  type FailedRun,
  failedRun,
  HandlerTimeoutError,
  NoHandlerError,
  TooManyConflictsError,
  UndecodablePayloadError
} from "./failures.ts"
import type { Ended, HandlerTime } from "./handlerTime.ts"
import { handlerDuration } from "./metrics.ts"

/** Who wrote the entry that a handler runs for: a device's public key, or `null` for the server. Handlers may read it. */
export class CurrentAuthor extends Context.Reference<Author>("@eventlog-server/core/CurrentAuthor", {
  defaultValue: () => null
}) {}

/** Whether the entry that a handler runs for was handled before, and the store is being rebuilt. Handlers may read it. */
export class IsReplay extends Context.Reference<boolean>("@eventlog-server/core/IsReplay", {
  defaultValue: () => false
}) {}

/** A handler as `EventLog.group` registers it. */
type Handler = Parameters<EventLog.Registry["Service"]["registerHandlerUnsafe"]>[0]["handler"]

/** An entry and its payload, as a handler gets its conflicts. */
interface DecodedEntry {
  readonly entry: EventJournal.Entry
  readonly payload: unknown
}

/** What a handler is called with. */
interface HandlerInput extends DecodedEntry {
  readonly storeId: StoreId
  readonly conflicts: ReadonlyArray<DecodedEntry>
  readonly isReplay: boolean
}

/**
 * A handler that is a plain function, outside a transaction. What it returns is waited for where it is a promise, and run
 * where it, or what it promised, is an effect.
 */
export type PlainHandler = (input: HandlerInput, author: Author, signal: LazySignal) => unknown

const plainHandlers = new WeakMap<Handler["handler"], PlainHandler>()

/** A handler that does what `plain` does, which can be called without a fiber where nothing asks for one. */
export const withPlain = (handler: Handler["handler"], plain: PlainHandler): Handler["handler"] => {
  plainHandlers.set(handler, plain)
  return handler
}

/** What running handlers takes. */
export interface HandlersOptions {
  readonly registry: Pick<EventLog.Registry["Service"], "handlers" | "reactivityKeys">
  readonly reactivity: Reactivity.Reactivity
  /** Milliseconds. */
  readonly handlerTimeout: number
  readonly time: HandlerTime
  /** Whether entries of an event are passed over where it has no handler. */
  readonly ignores: (event: string) => boolean
  /** For listeners of reactivity keys that fail, for each of many entries perhaps. */
  readonly quota: LogQuota
}

/** Calls a handler. effect's types don't know that the input says more. */
const call = (handler: Handler, input: HandlerInput): ReturnType<Handler["handler"]> => handler.handler(input)

/** What became of an entry's handler. */
export interface Run {
  /** What the handler failed with; `undefined` where it didn't. One that timed out may still be running. */
  readonly failed: FailedRun | undefined
  /** To be done when the entry counts as handled: invalidates the event's reactivity keys. `undefined`: it has none. */
  readonly settle: Effect.Effect<void> | undefined
}

/** What a handler runs in. */
export interface HandlerCall<E> {
  readonly storeId: StoreId
  /** Entries up to this sequence were handled before. */
  readonly replayTo: number
  readonly contain: Contain<E>
  /** What a handler finds that may be called at once, since nothing contains it, and nobody traces it. */
  readonly direct: Context.Context<never> | undefined
  /** Done when the handler, or what it is to be told of, took longer than 100 ms: others needn't wait for it. */
  readonly slow: Effect.Effect<void>
}

/** The registered handlers, ready to run. */
export interface Handlers {
  /** Whether the event has a handler. */
  readonly has: (event: string) => boolean
  /** Whether there is a handler for an entry, and a schema that can read it. */
  readonly canRun: (entry: EventJournal.Entry) => Effect.Effect<boolean>
  /**
   * Runs the handler of an entry, if its event has one. What it returns is the run where that is over already, or else waits
   * for it. A handler isn't run with a part of the conflicts: that is a failure. Waiting fails only where what contains it does, and interrupts where the server closes before the handler ended:
   * the entry then doesn't count as processed.
   */
  readonly run: <E>(entry: FeedEntry, conflicts: Conflicts, call: HandlerCall<E>) => Run | Effect.Effect<Run, E>
}

/** Waits for a handler, unless that isn't to be done any more. */
export const waited = <E>(run: Run | Effect.Effect<Run, E>): Effect.Effect<Run, E> =>
  Effect.isEffect(run) ? run : Effect.succeed(run)

/** An entry that no handler has to see, or one whose handler has nothing to be told of. */
export const passed: Run = { failed: undefined, settle: undefined }

const noPrivateKey = Redacted.make(new Uint8Array(32))

/** The identity that handlers see of a writer. The server knows no private keys: it is 32 zero bytes. */
const identityOf = (author: Author): EventLog.Identity["Service"] => ({
  publicKey: author ?? "eventlog-server",
  privateKey: noPrivateKey
})

/** What handlers find. It mostly is the same for one entry after the other, so it is merged once. */
const makeContexts = () => {
  interface Merged {
    readonly ambient: Context.Context<never>
    readonly author: Author
    readonly isReplay: boolean
    readonly context: Handler["context"]
  }
  const last = new WeakMap<Handler, Merged>()
  return (handler: Handler, author: Author, isReplay: boolean, ambient: Context.Context<never>): Handler["context"] => {
    const known = last.get(handler)
    if (known?.ambient === ambient && known.author === author && known.isReplay === isReplay) return known.context
    const context = Context.merge(handler.context, ambient).pipe(
      Context.add(EventLog.Identity, identityOf(author)),
      Context.add(CurrentAuthor, author),
      Context.add(IsReplay, isReplay)
    )
    last.set(handler, { ambient, author, isReplay, context })
    return context
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

type Decode = (payload: Uint8Array) => Effect.Effect<unknown, Schema.SchemaError>

const undecodable = (event: string, cause: Cause.Cause<unknown>) =>
  Cause.fail(new UndecodablePayloadError({ event, cause: Cause.squash(cause) }))

/** Decodes payloads by the schema of their handler's event: at once, where the schema needs nothing else. */
interface Payloads {
  readonly decode: (handler: Handler, entry: EventJournal.Entry) => Effect.Effect<unknown, UndecodablePayloadError>
  /** Decodes conflicts, leaving out those that can't be decoded. */
  readonly decodeAll: (
    handler: Handler,
    entries: ReadonlyArray<EventJournal.Entry>
  ) => Effect.Effect<ReadonlyArray<DecodedEntry>>
}

/** Makes a decoder once per handler; entries that conflict with several others are decoded once while they live. */
const makePayloads = (): Payloads => {
  const decoders = new WeakMap<Handler, Decode>()
  const conflicts = new WeakMap<EventJournal.Entry, Exit.Exit<DecodedEntry | undefined>>()

  const decoderOf = (handler: Handler): Decode => {
    let decode = decoders.get(handler)
    if (decode === undefined) {
      decode = Schema.decodeUnknownEffect(handler.event.payloadSchemaBinary) as Decode
      decoders.set(handler, decode)
    }
    return decode
  }

  /** What decoding returns, or throws. */
  const attempt = (handler: Handler, payload: Uint8Array): Effect.Effect<unknown, unknown> => {
    try {
      return decoderOf(handler)(payload)
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  const decodeConflict = (handler: Handler, entry: EventJournal.Entry): Effect.Effect<DecodedEntry | undefined> => {
    const keep = (exit: Exit.Exit<unknown, unknown>) => {
      const conflict = Exit.succeed(Exit.isSuccess(exit) ? { entry, payload: exit.value } : undefined)
      conflicts.set(entry, conflict)
      return conflict
    }
    const known = conflicts.get(entry)
    if (known !== undefined) return known
    const decoded = attempt(handler, entry.payload)
    return Exit.isExit(decoded) ? keep(decoded) : Effect.flatMap(Effect.exit(decoded), keep)
  }

  return {
    decode: (handler, { event, payload }) => {
      const decoded = attempt(handler, payload)
      if (!Exit.isExit(decoded))
        return Effect.catchCause(decoded, (cause) => Effect.failCause(undecodable(event, cause)))
      return Exit.isSuccess(decoded) ? Exit.succeed(decoded.value) : Exit.failCause(undecodable(event, decoded.cause))
    },
    decodeAll: (handler, entries) => {
      if (entries.length === 0) return noConflicts
      const decoded = entries.map((entry) => decodeConflict(handler, entry))
      const known = decoded.flatMap((conflict) => (isSucceeded(conflict) ? [conflict.value] : []))
      if (known.length === decoded.length) return Exit.succeed(known.filter(isThere))
      return Effect.map(Effect.all(decoded), (all) => all.filter(isThere))
    }
  }
}

const noConflicts: Exit.Exit<ReadonlyArray<DecodedEntry>> = Exit.succeed([])

const isSucceeded = <A>(effect: Effect.Effect<A>): effect is Exit.Success<A> =>
  Exit.isExit(effect) && Exit.isSuccess(effect)

const isThere = <A>(value: A | undefined): value is A => value !== undefined

/** Runs the handlers that `EventLog.group` registered, as effect's own runtime does for entries of a remote. */
export const makeHandlers = Effect.fnUntraced(function* (options: HandlersOptions): Effect.fn.Return<Handlers> {
  const { handlerTimeout, ignores, quota, reactivity, registry, time } = options
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const payloads = makePayloads()
  const contextOf = makeContexts()
  const durationOf = makeDurations()

  const invoke = (
    handler: Handler,
    { replayTo, storeId }: Pick<HandlerCall<unknown>, "replayTo" | "storeId">,
    { author, entry, remoteSequence }: FeedEntry,
    conflicts: ReadonlyArray<EventJournal.Entry>
  ): Effect.Effect<unknown, unknown> => {
    const isReplay = remoteSequence <= replayTo
    return Effect.flatMap(payloads.decode(handler, entry), (payload) =>
      Effect.flatMap(payloads.decodeAll(handler, conflicts), (decoded) =>
        call(handler, { storeId, payload, entry, conflicts: decoded, isReplay })
      )
    ).pipe(
      Effect.scoped,
      Effect.updateContext((ambient: Context.Context<never>) => contextOf(handler, author, isReplay, ambient)),
      Effect.trackDuration(durationOf(entry.event)),
      withSpan("eventlog.handler", () => ({
        "eventlog.store": storeId,
        "eventlog.event": entry.event,
        "eventlog.entry": entry.idString
      }))
    )
  }

  /** Waits for something of the app's no longer than it may take. */
  const endOf = <A, E>(work: Fiber.Fiber<A, E>, slow: Effect.Effect<void>): Effect.Effect<Ended<A, E>> => {
    const exit = work.pollUnsafe()
    return exit === undefined ? time.waitFor(work, slow) : Exit.succeed({ _tag: "Done", exit })
  }

  const invalidate = (entry: EventJournal.Entry, slow: Effect.Effect<void>): Effect.Effect<void> | undefined => {
    if (!Object.hasOwn(registry.reactivityKeys, entry.event)) return undefined
    const keys = registry.reactivityKeys[entry.event] ?? []
    const told = Effect.forEach(keys, (key) => reactivity.invalidate({ [key]: [entry.primaryKey] }), { discard: true })
    return Effect.flatMap(Effect.forkDetach(told, startingNow), (work) =>
      Effect.flatMap(endOf(work, slow), (ended) => {
        if (ended._tag === "GaveUp") return quota.log(Effect.logError("A reactivity listener did not end in time"))
        const { exit } = ended
        return Exit.isFailure(exit)
          ? quota.log(Effect.logError("A reactivity listener failed", exit.cause))
          : Effect.void
      })
    )
  }

  const succeeded = ({ entry }: FeedEntry, { slow }: HandlerCall<unknown>): Run => {
    const settle = invalidate(entry, slow)
    return settle === undefined ? passed : { failed: undefined, settle }
  }

  const failed = (feedEntry: FeedEntry, cause: Cause.Cause<unknown>): Run => ({
    failed: failedRun(feedEntry, cause),
    settle: undefined
  })

  const done = (feedEntry: FeedEntry, exit: Exit.Exit<unknown, unknown>, call: HandlerCall<unknown>): Run =>
    Exit.isFailure(exit) ? failed(feedEntry, exit.cause) : succeeded(feedEntry, call)

  const timedOut = (feedEntry: FeedEntry): Run =>
    failed(feedEntry, Cause.fail(new HandlerTimeoutError({ event: feedEntry.entry.event, millis: handlerTimeout })))

  const withoutHandler = (feedEntry: FeedEntry): Run => {
    const { event } = feedEntry.entry
    return ignores(event) ? passed : failed(feedEntry, Cause.fail(new NoHandlerError({ event })))
  }

  /** Waits for a handler, and returns what became of it. */
  const outcomeOf = <A, E, F>(
    work: Fiber.Fiber<A, E>,
    feedEntry: FeedEntry,
    call: HandlerCall<unknown>,
    onExit: (exit: Exit.Exit<A, E>) => Effect.Effect<Run, F>
  ): Effect.Effect<Run, F> =>
    Effect.flatMap(endOf(work, call.slow), (ended) => {
      if (ended._tag === "Done") return onExit(ended.exit)
      return ended.reason === "Abandoned" ? Effect.interrupt : Exit.succeed(timedOut(feedEntry))
    })

  /** Runs a handler at once, where that may be and its payload can be decoded at once. Otherwise it does nothing. */
  const runDirectly = (
    handler: Handler,
    feedEntry: FeedEntry,
    conflicts: ReadonlyArray<EventJournal.Entry>,
    call: HandlerCall<unknown>
  ): Run | Effect.Effect<Run> | undefined => {
    const { author, entry, remoteSequence } = feedEntry
    if (call.direct === undefined) return undefined
    const startedAt = clock.monotonicTimeNanosUnsafe()
    const payload = payloads.decode(handler, entry)
    const decoded = payloads.decodeAll(handler, conflicts)
    if (!Exit.isExit(payload) || !isSucceeded(decoded)) return undefined
    const end = (exit: Exit.Exit<unknown, unknown>): Run => {
      const millis = Number(clock.monotonicTimeNanosUnsafe() - startedAt) / 1_000_000
      durationOf(entry.event).updateUnsafe(Duration.millis(millis), context)
      return done(feedEntry, exit, call)
    }
    if (Exit.isFailure(payload)) return end(payload)
    const isReplay = remoteSequence <= call.replayTo
    const input = { storeId: call.storeId, payload: payload.value, entry, conflicts: decoded.value, isReplay }
    const begun = begin(handler, input, author, call.direct)
    return Exit.isExit(begun) ? end(begun) : outcomeOf(begun, feedEntry, call, (exit) => Exit.succeed(end(exit)))
  }

  /** Calls a handler, in a fiber unless it is a plain function that returns neither a promise nor an effect. */
  const begin = (
    handler: Handler,
    input: HandlerInput,
    author: Author,
    ambient: Context.Context<never>
  ): Exit.Exit<unknown, unknown> | Fiber.Fiber<unknown, unknown> => {
    const plain = plainHandlers.get(handler.handler)
    if (plain === undefined) {
      const fiber = Effect.runForkWith(contextOf(handler, author, input.isReplay, ambient))(
        Effect.scoped(Effect.suspend(() => handler.handler(input)))
      )
      return fiber.pollUnsafe() ?? fiber
    }
    const signal = new LazySignal()
    try {
      const returned = plain(input, author, signal)
      const isPromise = isThenable(returned)
      if (!isPromise && !Effect.isEffect(returned)) return Exit.void
      const ended = isPromise ? Effect.flatMap(settlementOf(returned, signal), runReturned) : runReturned(returned)
      const fiber = Effect.runForkWith(contextOf(handler, author, input.isReplay, ambient))(ended)
      return fiber.pollUnsafe() ?? fiber
    } catch (cause) {
      return Exit.fail(cause)
    }
  }

  return {
    has: (event) => registry.handlers.has(event),
    canRun: (entry) => {
      const handler = registry.handlers.get(entry.event)
      return handler === undefined
        ? Effect.succeed(false)
        : Effect.map(Effect.exit(payloads.decode(handler, entry)), Exit.isSuccess)
    },
    run: (feedEntry, conflicts, call) => {
      const handler = registry.handlers.get(feedEntry.entry.event)
      if (handler === undefined) return withoutHandler(feedEntry)
      if (conflicts instanceof TooManyConflictsError) return failed(feedEntry, Cause.fail(conflicts))
      const run = runDirectly(handler, feedEntry, conflicts, call)
      if (run !== undefined) return run
      const work = call.contain(invoke(handler, call, feedEntry, conflicts))
      return Effect.flatMap(Effect.forkDetach(work, startingNow), (fiber) =>
        outcomeOf(fiber, feedEntry, call, (exit) => Effect.map(exit, (handled) => done(feedEntry, handled, call)))
      )
    }
  }
})

const startingNow = { startImmediately: true } as const
