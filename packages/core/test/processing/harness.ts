import { Context, Effect, Exit, Layer, Logger, Option, Schema, Scope } from "effect"
import { EventGroup, EventJournal, EventLog } from "effect/eventlog"
import { Reactivity } from "effect/reactivity"
import { TestClock } from "effect/testing"
import type { BackendServices } from "../../src/backend/Backend.ts"
import { FeedAdmin } from "../../src/backend/FeedAdmin.ts"
import { type FeedRecord, FeedStore } from "../../src/backend/FeedStore.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import { StoreProgress } from "../../src/backend/StoreProgress.ts"
import { layerContinuity } from "../../src/continuity/continuity.ts"
import { layerOf, type MemoryState, makeMemoryState } from "../../src/memory/backend.ts"
import {
  type ProcessingLimits,
  type ProcessingOptions,
  resolveProcessingOptions
} from "../../src/processing/options.ts"
import { layerProcessing, Processing } from "../../src/processing/processing.ts"

/** `Set` and `Noted` have handlers in every test; other names are those of other versions of the app. */
export const Group = EventGroup.empty
  .add({
    tag: "Set",
    primaryKey: ({ key }) => key,
    payload: Schema.Struct({ key: Schema.String, value: Schema.Number })
  })
  .add({ tag: "Noted", primaryKey: () => "notes", payload: Schema.Struct({ text: Schema.String }) })

/** What the handler of `Set` is called with. */
export interface SetInput {
  readonly storeId: StoreId
  readonly payload: { readonly key: string; readonly value: number }
  readonly entry: EventJournal.Entry
  readonly conflicts: ReadonlyArray<{
    readonly entry: EventJournal.Entry
    readonly payload: { readonly key: string; readonly value: number }
  }>
}

/** Handlers that call `onSet`; `Noted` does nothing. */
export const handlersOf = <R = never>(onSet: (input: SetInput) => Effect.Effect<void, unknown, R>) =>
  EventLog.group(Group, (handlers) =>
    handlers.handle("Set", (input) => Effect.orDie(onSet(input))).handle("Noted", () => Effect.void)
  ) as Layer.Layer<never, never, EventLog.Registry | Exclude<R, Scope.Scope | EventLog.Identity>>

/** Records what handlers saw, in the order in which they ran. */
export const makeJournal = () => {
  const runs: Array<{ readonly storeId: StoreId; readonly value: number }> = []
  return {
    runs,
    values: (storeId: StoreId) => runs.filter((run) => run.storeId === storeId).map(({ value }) => value),
    handlers: handlersOf(({ payload, storeId }) => Effect.sync(() => void runs.push({ storeId, value: payload.value })))
  }
}

let stores = 0

export const freshStoreId = (): StoreId => StoreId.make(`store-${++stores}`)

const { Set: SetEvent } = Group.events as Record<string, { readonly payloadSchemaBinary: Schema.Top }>

const encodeSet = Schema.encodeUnknownSync(SetEvent?.payloadSchemaBinary as Schema.Codec<unknown, Uint8Array>)

/** A `Set` of a key, written by `author`. */
export const setRecord = (
  value: number,
  fields: { readonly key?: string; readonly id?: EventJournal.EntryId; readonly author?: string | null } = {}
): FeedRecord => {
  const key = fields.key ?? "key"
  return {
    entry: new EventJournal.Entry(
      {
        id: fields.id ?? EventJournal.makeEntryIdUnsafe(),
        event: "Set",
        primaryKey: key,
        payload: encodeSet({ key, value })
      },
      { disableChecks: true }
    ),
    author: fields.author === undefined ? "device" : fields.author,
    transportOnly: false
  }
}

/** `Set`s of the values from `first` to `last`. */
export const setRecords = (first: number, last: number): ReadonlyArray<FeedRecord> =>
  range(first, last).map((value) => setRecord(value))

export const range = (first: number, last: number): ReadonlyArray<number> =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)

/** Lets every fiber run until timers are all that is left. */
export const rest = Effect.forEach(range(1, 100), () => Effect.yieldNow, { discard: true })

/** Lets time pass until what ran in stores that are at rest is saved. */
export const untilSaved = Effect.andThen(rest, TestClock.adjust("50 millis"))

/** A backend and its insides. */
export interface TestBackend {
  readonly state: MemoryState
  readonly services: Context.Context<BackendServices>
  readonly feeds: FeedStore["Service"]
  readonly progress: StoreProgress["Service"]
  readonly admin: FeedAdmin["Service"]
}

export const makeBackend: Effect.Effect<TestBackend, never, Scope.Scope> = Effect.gen(function* () {
  const state = makeMemoryState()
  const services = yield* Layer.build(layerOf(state))
  return {
    state,
    services,
    feeds: Context.get(services, FeedStore),
    progress: Context.get(services, StoreProgress),
    admin: Context.get(services, FeedAdmin)
  }
})

/** One server's processing. */
export interface TestNode {
  readonly processing: Processing["Service"]
  readonly reactivity: Reactivity.Reactivity
  readonly registry: EventLog.Registry["Service"]
  /** Closes it, as a server does that stops. */
  readonly close: Effect.Effect<void>
}

/** How processing behaves in a test. */
export interface TestOptions extends ProcessingOptions {
  readonly limits?: Partial<ProcessingLimits> | undefined
}

/**
 * Starts processing on a backend, until it is closed or the test ends. Handlers that fail aren't tried again, unless the options say so. The end of a test doesn't wait for the close, which
 * may take time that no test clock passes any more.
 */
export const startNode = Effect.fnUntraced(function* (
  services: Context.Context<BackendServices>,
  handlers: Layer.Layer<never, never, EventLog.Registry>,
  { limits, ...options }: TestOptions = {},
  loggers: ReadonlyArray<Logger.Logger<unknown, void>> = []
): Effect.fn.Return<TestNode, never, Scope.Scope> {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Effect.forkDetach(Scope.close(scope, Exit.void)))
  const layer = layerProcessing(resolveProcessingOptions({ retry: { attempts: 1 }, ...options }, limits)).pipe(
    Layer.provideMerge(handlers),
    Layer.provideMerge(Layer.mergeAll(EventLog.layerRegistry, Reactivity.layer)),
    Layer.provideMerge(layerContinuity(() => {})),
    Layer.provideMerge(Layer.succeedContext(services)),
    Layer.provide(Logger.layer(loggers))
  )
  const built = yield* Layer.buildWithMemoMap(layer, Layer.makeMemoMapUnsafe(), scope)
  return {
    processing: Context.get(built, Processing),
    reactivity: Context.get(built, Reactivity.Reactivity),
    registry: Context.get(built, EventLog.Registry),
    close: Scope.close(scope, Exit.void)
  }
})

/** Appends to a store and tells a node of it, as ingest does. */
export const commit = (
  { feeds }: Pick<TestBackend, "feeds">,
  node: Pick<TestNode, "processing">,
  storeId: StoreId,
  records: ReadonlyArray<FeedRecord>
) =>
  Effect.tap(feeds.append(storeId, records), (slots) =>
    Effect.sync(() => {
      const last = slots.findLast(({ isNew }) => isNew)
      if (last !== undefined) node.processing.notify(storeId, last.sequence)
    })
  )

/** A backend whose leases are counted, and do `onRelease` when they were given back. */
export const withLeases = (
  services: Context.Context<BackendServices>,
  onRelease: Effect.Effect<void> = Effect.void
) => {
  const progress = Context.get(services, StoreProgress)
  let taken = 0
  return {
    services: Context.add(services, StoreProgress, {
      ...progress,
      lease: (storeId) =>
        Effect.suspend(() => {
          taken++
          return Effect.andThen(
            Effect.addFinalizer(() => onRelease),
            progress.lease(storeId)
          )
        })
    }),
    taken: () => taken
  }
}

/** The counts of a test: bigger when EVENTLOG_TEST_LONG is set. */
export const scaled = (small: number, long: number): number => (process.env.EVENTLOG_TEST_LONG ? long : small)

const failuresOf = ({ failures }: StoreProgress["Service"], storeId: StoreId) => ({
  record: (failed: Parameters<typeof failures.record>[1]) => failures.record(storeId, failed),
  settle: (sequences: ReadonlyArray<number>) => failures.settle(storeId, sequences)
})

/** A backend whose leases process in transactions; there is nothing that one would undo but the cursor. */
export const withTransactions = ({ progress, services }: TestBackend): Context.Context<BackendServices> =>
  Context.add(services, StoreProgress, {
    ...progress,
    lease: (storeId) =>
      Effect.map(
        progress.lease(storeId),
        Option.map((lease) => ({
          ...lease,
          transaction: (work) =>
            Effect.flatMap(work({ contain: Effect.exit, failures: failuresOf(progress, storeId) }), (processed) =>
              processed === undefined ? Effect.void : lease.advance(processed)
            )
        }))
      )
  })

/** Backends by how a page is processed. */
export const modes: ReadonlyArray<readonly [string, (backend: TestBackend) => Context.Context<BackendServices>]> = [
  ["steps", ({ services }) => services],
  ["transactions", withTransactions]
]
