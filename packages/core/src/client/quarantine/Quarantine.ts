import { Context, Effect, Layer, type Scope } from "effect"
import { EventJournal, EventLog } from "effect/eventlog"
import { Reactivity } from "effect/reactivity"
import type { HandOverRules } from "./handOver.ts"
import type { QuarantinedEntry, QuarantineStorage } from "./QuarantineStorage.ts"
import { quarantinedJournal } from "./quarantinedJournal.ts"
import { retry } from "./retry.ts"
import { type QuarantineSummary, Ward } from "./Ward.ts"

type Entry = EventJournal.Entry
type Handlers = EventLog.Registry["Service"]["handlers"]

/** How a device sets aside what it can't apply. */
export interface QuarantineOptions {
  /** Where what is set aside is kept: beside the journal, and as durable as that. */
  readonly storage: QuarantineStorage
  /**
   * For which entries the order of their primary key is kept: while one is set aside, later ones of that key wait behind
   * it. `true` is for all. Without it only the entry itself waits, and is applied later as one of a device that was
   * offline for long would be, with the newer entries as its conflicts.
   * @default false
   */
  readonly keepOrder?: boolean | ((entry: Entry) => boolean) | undefined
  /** Entries that this app never handles though its store has them: they are not set aside. @default none */
  readonly ignore?: ((entry: Entry) => boolean) | undefined
  /** Told of entries when they are set aside anew. A promise is waited for; what it throws is logged. */
  readonly onQuarantined?: ((entries: ReadonlyArray<QuarantinedEntry>) => void | Promise<void>) | undefined
}

/**
 * Sets entries aside that a device can't apply: of an event it has no handler of, with a payload it can't decode, or whose
 * handler throws. All others go on. What is set aside is durable, is applied by itself when the app starts again, so after
 * an upgrade, and whenever `retry` is called.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { EventGroup, EventJournal, EventLog } from "effect/eventlog"
 * import { EventLogClient, layerIdentity, Quarantine, quarantineIndexedDb } from "@eventlog-server/core/client"
 *
 * const Todos = EventGroup.empty.add({
 *   tag: "TodoAdded",
 *   primaryKey: (todo) => todo.id,
 *   payload: Schema.Struct({ id: Schema.String, text: Schema.String })
 * })
 * const handlers = EventLog.group(Todos, (_) => _.handle("TodoAdded", ({ payload }) => Effect.log(payload)))
 *
 * const app = EventLogClient.layer({ url: "wss://example.com/eventlog" }).pipe(
 *   Layer.provideMerge(EventLog.layer(EventLog.schema(Todos), handlers)),
 *   Layer.provide(Quarantine.layer({ storage: quarantineIndexedDb() })),
 *   Layer.provide([EventJournal.layerIndexedDb(), layerIdentity({ storage: localStorage })])
 * )
 * ```
 */
export class Quarantine extends Context.Service<
  Quarantine,
  {
    /** What is set aside, as far as this tab knows. The same object until it changes. */
    readonly summary: () => QuarantineSummary
    /** Calls `listener`, which may not throw, with each new summary, until the scope closes. */
    readonly follow: (listener: (summary: QuarantineSummary) => void) => Effect.Effect<void, never, Scope.Scope>
    /** Takes the app's handlers, which must be registered by now. `EventLogClient` calls it. */
    readonly attach: (registry: EventLog.Registry["Service"]) => Effect.Effect<void>
    /** Applies what can be applied by now, in feed order. Needs `attach` before; without it nothing is applied. */
    readonly retry: Effect.Effect<void, EventJournal.EventJournalError>
  }
>()("@eventlog-server/core/client/Quarantine") {
  /** Puts a quarantine in front of a journal: whoever takes the journal from this layer gets it with the quarantine. */
  static readonly layer = (
    options: QuarantineOptions
  ): Layer.Layer<
    Quarantine | EventJournal.EventJournal,
    EventJournal.EventJournalError,
    EventJournal.EventJournal | EventLog.Identity
  > =>
    // One build of layers shares one Reactivity, so queries hear of what is applied later as of what came in time.
    Layer.effectContext(make(options)).pipe(Layer.provide(Reactivity.layer))
}

const make = Effect.fnUntraced(function* (options: QuarantineOptions) {
  const journal = yield* EventJournal.EventJournal
  const identity = yield* EventLog.Identity
  const storeId = yield* EventLog.CurrentStoreId
  const transaction = yield* EventLog.HandlerTransaction
  const reactivity = yield* Reactivity.Reactivity
  const services = yield* Effect.context<never>()
  const ward = new Ward(options.storage)
  let replay: HandOverRules["apply"] | undefined
  let handlers: Handlers | undefined

  const rules = () => ({ handlers, keepOrder: predicate(options.keepOrder), ignore: options.ignore ?? (() => false) })

  const attach = (registry: EventLog.Registry["Service"]) =>
    Effect.sync(() => {
      handlers = registry.handlers
      const one = EventLog.makeReplayFromRemote({
        handlers: registry.handlers,
        storeId,
        identity,
        reactivity,
        reactivityKeys: registry.reactivityKeys,
        logAnnotations: { service: "Quarantine", effect: "retry" }
      })
      replay = (batch) => transaction(Effect.forEach(batch, one, { discard: true }))
    })

  const retryAll = Effect.suspend(() =>
    replay === undefined ? Effect.void : retry({ journal, ward, rules: { ...rules(), apply: replay } })
  ).pipe(journal.withLock(storeId), reactivity.withBatch)

  const look = Effect.ignore(ward.entries)
  yield* Effect.acquireRelease(
    Effect.sync(() => options.storage.onForeignChange?.(() => Effect.runForkWith(services)(look))),
    (end) => Effect.sync(() => end?.())
  )
  yield* ward.entries
  return Context.make(
    Quarantine,
    Quarantine.of({
      summary: () => ward.summary,
      follow: (listener) =>
        Effect.asVoid(
          Effect.acquireRelease(
            Effect.sync(() => ward.subscribe(listener)),
            (end) => Effect.sync(end)
          )
        ),
      attach,
      retry: retryAll
    })
  ).pipe(
    Context.add(
      EventJournal.EventJournal,
      quarantinedJournal({ journal, ward, rules, onAside: tell(options.onQuarantined) })
    )
  )
})

const predicate = (keepOrder: QuarantineOptions["keepOrder"] = false) =>
  typeof keepOrder === "boolean" ? () => keepOrder : keepOrder

const tell = (onQuarantined: QuarantineOptions["onQuarantined"]) => (entries: ReadonlyArray<QuarantinedEntry>) =>
  onQuarantined === undefined
    ? Effect.void
    : Effect.tryPromise(async () => onQuarantined(entries)).pipe(
        Effect.catchCause((cause) => Effect.logError("onQuarantined failed", cause))
      )
