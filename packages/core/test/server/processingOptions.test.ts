import { schema, type Todos, todoAdded } from "@eventlog-server/testkit/schema"
import { Context, Effect, Layer, Option } from "effect"
import { describe, expect, it, onTestFinished, vi } from "vitest"
import type { BackendServices } from "../../src/backend/Backend.ts"
import { FeedStore } from "../../src/backend/FeedStore.ts"
import { StorageError } from "../../src/backend/StorageError.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import { StoreProgress } from "../../src/backend/StoreProgress.ts"
import {
  allowAll,
  type CreateEventLogServerOptions,
  createEventLogServer,
  type FeedMismatch,
  type HandlerFailure
} from "../../src/index.ts"
import { layerOf, type MemoryState, makeMemoryState } from "../../src/memory/backend.ts"
import { resolveProcessingOptions } from "../../src/processing/options.ts"
import { resolveOptions } from "../../src/server/options.ts"

const storeId = StoreId.make("store")

type Services = Context.Context<BackendServices>

interface Setup {
  readonly state?: MemoryState
  readonly wrap?: (services: Services) => Services
  readonly onAdded?: (input: { readonly conflicts: ReadonlyArray<unknown> }) => unknown
  readonly options: Partial<CreateEventLogServerOptions<typeof Todos>>
}

const startServer = async ({ onAdded = () => {}, options, state = makeMemoryState(), wrap = (all) => all }: Setup) => {
  const server = createEventLogServer({
    schema,
    handlers: { TodoAdded: (input) => onAdded(input) as Promise<void>, TodoToggled: () => {} },
    backend: { layer: Layer.effectContext(Effect.map(Layer.build(layerOf(state)), wrap)) },
    auth: allowAll,
    logger: silent,
    ...options
  })
  onTestFinished(() => server.close())
  await server.ready()
  return server
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

const payload = { id: "todo", text: "text" }

/** A backend with entries that no server was told of. */
const makeFilled = (count: number): MemoryState => {
  const state = makeMemoryState()
  const records = Array.from({ length: count }, () => ({
    entry: todoAdded("todo"),
    author: null,
    transportOnly: false
  }))
  const { feeds } = state
  Effect.runSync(
    Effect.scoped(
      Effect.flatMap(Layer.build(layerOf(state)), (all) => Context.get(all, FeedStore).append(storeId, records))
    )
  )
  expect(feeds.feeds.get(storeId)?.end).toBe(count)
  return state
}

/** A backend that returns something else when it is asked for a lease. */
const withLease =
  (lease: ReturnType<StoreProgress["Service"]["lease"]>) =>
  (services: Services): Services =>
    Context.add(services, StoreProgress, { ...Context.get(services, StoreProgress), lease: () => lease })

/** Within a second: each default takes longer than that. */
const soon = <A>(check: () => A): Promise<A> => vi.waitFor(check, { timeout: 1_000, interval: 1 })

describe("an option of processing arrives where it is given to the server", () => {
  it("handlerTimeout, and onHandlerFailure", async () => {
    const failures: Array<HandlerFailure> = []
    const server = await startServer({
      onAdded: () => new Promise(() => {}),
      options: { handlerTimeout: 20, onHandlerFailure: (failure) => failures.push(failure) }
    })
    await server.write({ storeId, event: "TodoAdded", payload })
    await soon(() => expect(failures).toMatchObject([{ reason: "TimedOut", cause: { millis: 20 } }]))
  })

  it("sweepInterval", async () => {
    const state = makeMemoryState()
    let looked = 0
    const wrap = (services: Services): Services => {
      const progress = Context.get(services, StoreProgress)
      const behind: typeof progress.behind = (...args) => {
        looked++
        return progress.behind(...args)
      }
      return Context.add(services, StoreProgress, { ...progress, behind })
    }
    await startServer({ state, wrap, options: { sweepInterval: 5 } })
    await soon(() => expect(looked).toBeGreaterThan(3))
  })

  it("maxStores", async () => {
    let [running, most] = [0, 0]
    const onAdded = async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setImmediate(resolve))
      running--
    }
    const server = await startServer({ onAdded, options: { maxStores: 2 } })
    const stores = Array.from({ length: 10 }, (_, index) => `store-${index}`)
    await Promise.all(stores.map((store) => server.write({ storeId: store, event: "TodoAdded", payload })))
    await Promise.all(stores.map((store) => server.processed({ storeId: store, sequence: 1 })))
    expect(most).toBe(2)
  })

  it("linger", async () => {
    const state = makeMemoryState()
    const server = await startServer({ state, options: { linger: 5 } })
    await server.write({ storeId, event: "TodoAdded", payload })
    await server.processed({ storeId, sequence: 1 })
    await soon(() => expect(state.progress.holders.size).toBe(0))
  })

  it("leaseRetry", async () => {
    let asked = 0
    const taken = Effect.sync(() => {
      asked++
      return Option.none()
    })
    const wrap = withLease(taken)
    await startServer({ state: makeFilled(1), wrap, options: { leaseRetry: { min: 1, max: 2 } } })
    await soon(() => expect(asked).toBeGreaterThan(20))
  })

  it("outageRetry", async () => {
    let asked = 0
    const away = new StorageError({ operation: "StoreProgress.lease", retryable: true, cause: "away" })
    const wrap = withLease(
      Effect.andThen(
        Effect.sync(() => asked++),
        Effect.fail(away)
      )
    )
    await startServer({ state: makeFilled(1), wrap, options: { outageRetry: { min: 1, max: 2 } } })
    await soon(() => expect(asked).toBeGreaterThan(20))
  })

  it("shutdownTimeout", async () => {
    let isRunning = false
    const onAdded = () => {
      isRunning = true
      return new Promise(() => {})
    }
    const server = await startServer({ onAdded, options: { shutdownTimeout: 20 } })
    await server.write({ storeId, event: "TodoAdded", payload })
    await soon(() => expect(isRunning).toBe(true))
    let isClosed = false
    void server.close().then(() => (isClosed = true))
    await soon(() => expect(isClosed).toBe(true))
  })

  it("onFeedMismatch", async () => {
    const state = makeFilled(3)
    state.progress.cursors.set(storeId, 5)
    const mismatches: Array<FeedMismatch> = []
    await startServer({ state, options: { onFeedMismatch: (mismatch) => mismatches.push(mismatch) } })
    await soon(() => expect(mismatches).toEqual([{ storeId, cursor: 5, head: 3 }]))
  })
})

it("gives processing every option, and the limits that concern it", () => {
  const calls = { onHandlerFailure: () => {}, onFeedMismatch: () => {}, onTooManyFailures: () => {}, onReset: () => {} }
  const options = {
    ...calls,
    handlerTimeout: 1,
    sweepInterval: 2,
    maxStores: 3,
    linger: 4,
    leaseRetry: { min: 5, max: 6 },
    outageRetry: { min: 7, max: 8 },
    shutdownTimeout: 9,
    maxFailures: 15
  }
  const limits = { maxPageEntries: 10, maxPageBytes: 11, maxConflicts: 12, maxConflictBytes: 13, maxPausedBytes: 14 }
  const { maxPageBytes: maxBytes, maxPageEntries: maxEntries, ...others } = limits
  const backoff = { min: 16, max: 17 }
  const { processing } = resolveOptions({
    ...options,
    limits,
    retry: { attempts: 18, backoff, events: { Mailed: { attempts: 1 } } },
    ignoredEvents: ["Whispered"]
  })
  expect(processing).toEqual({
    ...options,
    ...others,
    pageLimits: { maxEntries, maxBytes },
    retry: { all: { attempts: 18, backoff }, events: new Map([["Mailed", { attempts: 1, backoff }]]) },
    ignoredEvents: new Set(["Whispered"])
  })
})

it("has the same defaults for those who use processing alone", () => {
  expect(resolveOptions({}).processing).toEqual(resolveProcessingOptions({}))
})
