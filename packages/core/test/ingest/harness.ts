import { makeEntry } from "@eventlog-server/testkit/schema"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import type { EventJournal } from "effect/eventlog"
import { FeedAdmin } from "../../src/backend/FeedAdmin.ts"
import { FeedStore } from "../../src/backend/FeedStore.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import { Ingest, layerIngest } from "../../src/ingest/ingest.ts"
import type { WriteError, WriteRequest, Written } from "../../src/ingest/write.ts"
import { layerOf, makeMemoryState } from "../../src/memory/backend.ts"
import { defaultLimits, type Limits } from "../../src/wire/limits.ts"

export const storeId = StoreId.make("store")

type Members = FeedStore["Service"]

/** An entry whose primary key says which it is, with a payload of so many bytes. */
export const entry = (primaryKey = "k", payload = 0): EventJournal.Entry =>
  makeEntry({ event: "E", primaryKey, payload })

/** What became of a submitted write. */
export class Outcome {
  readonly exits: Array<Exit.Exit<Written, WriteError>> = []

  get exit(): Exit.Exit<Written, WriteError> | undefined {
    return this.exits[0]
  }

  get sequenceNumbers(): ReadonlyArray<number> | undefined {
    return this.exit && Exit.isSuccess(this.exit) ? this.exit.value.sequenceNumbers : undefined
  }

  /** The reason or tag of its failure. */
  get failure(): string | undefined {
    if (this.exit === undefined || Exit.isSuccess(this.exit)) return undefined
    const [reason] = this.exit.cause.reasons
    if (reason?._tag !== "Fail") return reason?._tag
    return "reason" in reason.error ? reason.error.reason : reason.error._tag
  }
}

/** The ingest room over a memory backend whose `append` is wrapped. */
export const makeScene = Effect.fnUntraced(function* (
  wrap: (append: Members["append"]) => Members["append"] = (append) => append,
  limits: Partial<Limits> = {}
) {
  const services = yield* Layer.build(layerOf(makeMemoryState()))
  const store = Context.get(services, FeedStore)
  const committed: Array<StoreId> = []
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const layer = layerIngest({ ...defaultLimits, ...limits }, (storeId) => committed.push(storeId)).pipe(
    Layer.provide(Layer.succeed(FeedStore, { ...store, append: wrap(store.append) }))
  )
  const ingest = Context.get(yield* Layer.buildWithScope(layer, scope), Ingest)
  const submit = (entries: ReadonlyArray<EventJournal.Entry>, request: Partial<WriteRequest> = {}): Outcome => {
    const outcome = new Outcome()
    ingest.submit({ storeId, author: "device", transportOnly: false, entries, ...request }, (exit) =>
      outcome.exits.push(exit)
    )
    return outcome
  }
  return {
    ingest,
    submit,
    /** Submits a write and waits until it was answered. */
    write: (entries: ReadonlyArray<EventJournal.Entry>) =>
      Effect.suspend(() => {
        const outcome = submit(entries)
        return Effect.as(Effect.repeat(Effect.yieldNow, { until: () => outcome.exits.length > 0 }), outcome)
      }),
    /** The stores whose commits were told of, in order. */
    committed,
    admin: Context.get(services, FeedAdmin),
    /** The primary keys that the store holds, in order. */
    stored: Effect.map(store.read(storeId, 1, { maxEntries: 10_000, maxBytes: 1 << 30 }), ({ entries }) =>
      entries.map(({ entry }) => entry.primaryKey)
    ),
    close: Scope.close(scope, Exit.void)
  }
})
