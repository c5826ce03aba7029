import { describe, it } from "@effect/vitest"
import { Context, Effect, type Layer, Schema, type Scope } from "effect"
import { EventGroup, EventJournal, EventLog } from "effect/eventlog"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import type { BackendServices } from "../../src/backend/Backend.ts"
import type { FeedRecord } from "../../src/backend/FeedStore.ts"
import { StorageError } from "../../src/backend/StorageError.ts"
import type { StoreId } from "../../src/backend/StoreId.ts"
import { StoreProgress } from "../../src/backend/StoreProgress.ts"
import type { HandlerFailure } from "../../src/processing/failures.ts"
import { ProcessingStoppedError, type TooManyFailures } from "../../src/processing/stoppedStores.ts"
import { makeConnection } from "./faults.ts"
import {
  commit,
  freshStoreId,
  handlersOf,
  makeBackend,
  modes,
  range,
  rest,
  type SetInput,
  setRecord,
  setRecords,
  startNode,
  type TestBackend,
  type TestOptions,
  untilSaved
} from "./harness.ts"

/** A handler that fails as long as it is told to, and what it was called for. */
const makeFlaky = () => {
  const failing = new Map<number, unknown>()
  const tried: Array<number> = []
  const handled: Array<number> = []
  const inputs: Array<SetInput> = []
  const handlers = handlersOf((input) =>
    Effect.suspend(() => {
      const { value } = input.payload
      tried.push(value)
      inputs.push(input)
      if (failing.has(value)) return Effect.fail(failing.get(value))
      handled.push(value)
      return Effect.void
    })
  )
  return { failing, tried, handled, inputs, handlers }
}

const retry = { attempts: 3, backoff: { min: "1 second", max: "1 second" } } as const

const keptIn = ({ progress }: Pick<TestBackend, "progress">, storeId: StoreId) =>
  progress.failures.list({ storeId, limit: 1_000 })

const sequencesIn = (backend: Pick<TestBackend, "progress">, storeId: StoreId) =>
  Effect.map(keptIn(backend, storeId), (kept) => kept.map(({ sequence }) => sequence))

/** Lets some time pass, bit by bit, so that what waits for several timers goes on. */
const pass = (seconds: number) =>
  Effect.forEach(range(1, seconds * 4), () => Effect.andThen(rest, TestClock.adjust("250 millis")), {
    discard: true
  }).pipe(Effect.andThen(rest))

const garbled = (record: FeedRecord): FeedRecord => ({
  ...record,
  entry: new EventJournal.Entry({ ...record.entry, payload: Uint8Array.from([255, 255, 255]) }, { disableChecks: true })
})

describe.each(modes)("a handler that fails, in %s", (_, servicesOf) => {
  const setUp = Effect.fnUntraced(function* (options: TestOptions = {}) {
    const backend = yield* makeBackend
    const flaky = makeFlaky()
    const failures: Array<HandlerFailure> = []
    const node = yield* startNode(servicesOf(backend), flaky.handlers, {
      retry,
      onHandlerFailure: (failure) => failures.push(failure),
      ...options
    })
    return { backend, failures, node, storeId: freshStoreId(), ...flaky }
  })

  it.effect("is tried again, and nothing is kept where it succeeds then", () =>
    Effect.gen(function* () {
      const { backend, failing, failures, handled, node, storeId, tried } = yield* setUp()
      failing.set(2, "not yet")
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* rest
      expect(tried).toEqual([1, 2])
      yield* pass(1)
      expect(tried).toEqual([1, 2, 2])
      failing.clear()
      yield* pass(1)
      yield* node.processing.processed(storeId, 3)
      expect(tried).toEqual([1, 2, 2, 2, 3])
      expect(handled).toEqual([1, 2, 3])
      expect(failures).toEqual([])
      expect(yield* keptIn(backend, storeId)).toEqual([])
    })
  )

  it.effect("has the later entries of its store wait, and no other store", () =>
    Effect.gen(function* () {
      const { backend, failing, handled, node, storeId } = yield* setUp({ maxStores: 1 })
      const other = freshStoreId()
      failing.set(2, "not yet")
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* rest
      yield* commit(backend, node, other, setRecords(11, 13))
      yield* node.processing.processed(other, 3)
      expect(handled).toEqual([1, 11, 12, 13])
      failing.clear()
      yield* pass(2)
      yield* node.processing.processed(storeId, 3)
      expect(handled).toEqual([1, 11, 12, 13, 2, 3])
    })
  )

  it.effect("is kept with what it failed with when it was tried as often as it may be, and the cursor passes it", () =>
    Effect.gen(function* () {
      const { backend, failing, failures, handled, node, storeId, tried } = yield* setUp()
      const error = new Error(`no \u0000 such \ud800 list ${"x".repeat(5_000)}`)
      failing.set(2, error)
      const records = setRecords(1, 3)
      yield* commit(backend, node, storeId, records)
      yield* pass(3)
      yield* node.processing.processed(storeId, 3)
      expect(tried).toEqual([1, 2, 2, 2, 3])
      expect(handled).toEqual([1, 3])
      expect(failures).toMatchObject([{ sequence: 2, reason: "HandlerFailed", cause: error }])
      const [kept, ...others] = yield* keptIn(backend, storeId)
      expect(others).toEqual([])
      expect(kept).toMatchObject({
        storeId,
        sequence: 2,
        event: "Set",
        primaryKey: "key",
        author: "device",
        reason: "HandlerFailed",
        attempts: 1,
        isDue: false
      })
      expect(kept?.entryId).toEqual(records[1]?.entry.id)
      expect(kept?.message).toMatch(/^no {2}such \ufffd list x+$/)
      expect(kept?.message.length).toBeLessThan(1_001)
    })
  )

  it.effect("isn't tried again where its error says that it is for good", () =>
    Effect.gen(function* () {
      const { backend, failing, node, storeId, tried } = yield* setUp()
      failing.set(1, { retryable: false, message: "no such list" })
      failing.set(2, new StorageError({ operation: "theirs", retryable: false, cause: "gone" }))
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      expect(tried).toEqual([1, 2, 3])
      expect(yield* sequencesIn(backend, storeId)).toEqual([1, 2])
    })
  )

  it.effect("is tried as the policy of its event says", () =>
    Effect.gen(function* () {
      const { backend, failing, node, storeId, tried } = yield* setUp({
        retry: { ...retry, events: { Set: { attempts: 1 } } }
      })
      failing.set(1, "no")
      yield* commit(backend, node, storeId, setRecords(1, 2))
      yield* node.processing.processed(storeId, 2)
      expect(tried).toEqual([1, 2])
    })
  )

  it.effect("is tried again when its page was let go of meanwhile", () =>
    Effect.gen(function* () {
      const { backend, failing, handled, node, storeId, tried } = yield* setUp({ limits: { maxPausedBytes: 0 } })
      failing.set(2, "not yet")
      yield* commit(backend, node, storeId, setRecords(1, 4))
      yield* pass(4)
      yield* node.processing.processed(storeId, 4)
      expect(tried).toEqual([1, 2, 2, 2, 3, 4])
      expect(handled).toEqual([1, 3, 4])
    })
  )

  it.effect("is left to the next node where this one closes before it is tried again", () =>
    Effect.gen(function* () {
      const { backend, failing, handled, node, storeId } = yield* setUp()
      failing.set(2, "not yet")
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* rest
      yield* node.close
      expect(yield* backend.progress.cursors([storeId])).toEqual([1])
      const next = makeFlaky()
      const taking = yield* startNode(servicesOf(backend), next.handlers)
      yield* taking.processing.processed(storeId, 3)
      expect([handled, next.handled]).toEqual([[1], [2, 3]])
      expect(yield* keptIn(backend, storeId)).toEqual([])
    })
  )
})

describe.each(modes)("an entry that failed, in %s", (_, servicesOf) => {
  const setUp = Effect.fnUntraced(function* (options: TestOptions = {}, count = 5, failedOnes = [2, 4]) {
    const backend = yield* makeBackend
    const flaky = makeFlaky()
    const failures: Array<HandlerFailure> = []
    const services = servicesOf(backend)
    const node = yield* startNode(services, flaky.handlers, {
      onHandlerFailure: (failure) => failures.push(failure),
      ...options
    })
    const storeId = freshStoreId()
    for (const value of failedOnes) flaky.failing.set(value, Object.assign(new Error("not yet"), { retryable: false }))
    yield* commit(backend, node, storeId, setRecords(1, count))
    yield* node.processing.processed(storeId, count)
    flaky.tried.length = 0
    flaky.inputs.length = 0
    return { backend, failures, node, services, storeId, ...flaky }
  })

  it.effect("is handled when it is tried again, and isn't kept any more", () =>
    Effect.gen(function* () {
      const { backend, failing, node, storeId, tried } = yield* setUp()
      expect(yield* sequencesIn(backend, storeId)).toEqual([2, 4])
      failing.clear()
      yield* node.processing.failures.retry(storeId, 4)
      yield* rest
      expect(tried).toEqual([4])
      expect(yield* sequencesIn(backend, storeId)).toEqual([2])
      yield* node.processing.failures.retry(storeId, 2)
      yield* node.processing.failures.retry(storeId, 1)
      yield* rest
      expect(tried).toEqual([4, 2])
      expect(yield* keptIn(backend, storeId)).toEqual([])
      yield* untilSaved
      expect(yield* backend.progress.cursors([storeId])).toEqual([5])
    })
  )

  it.effect("counts another attempt where it fails again, and is reported", () =>
    Effect.gen(function* () {
      const { backend, failing, failures, node, storeId, tried } = yield* setUp()
      failing.set(2, "still not")
      expect(yield* node.processing.failures.retryAll({ storeId, reason: "HandlerFailed" })).toBe(2)
      expect(yield* node.processing.failures.retryAll({ storeId, reason: "TimedOut" })).toBe(0)
      yield* rest
      expect(tried).toEqual([2, 4])
      expect(yield* keptIn(backend, storeId)).toMatchObject([
        { sequence: 2, attempts: 2, isDue: false, message: "still not" },
        { sequence: 4, attempts: 2, isDue: false, message: "not yet" }
      ])
      expect(failures.map(({ sequence }) => sequence)).toEqual([2, 4, 2, 4])
      expect(yield* node.processing.failures.retryAll({})).toBe(2)
      yield* rest
      expect(tried).toEqual([2, 4, 2, 4])
    })
  )

  it.effect("is forgotten when it is discarded", () =>
    Effect.gen(function* () {
      const { backend, failing, node, storeId, tried } = yield* setUp()
      failing.clear()
      yield* node.processing.failures.discard(storeId, 2)
      expect(yield* node.processing.failures.retryAll({})).toBe(1)
      yield* rest
      expect(tried).toEqual([4])
      expect(yield* keptIn(backend, storeId)).toEqual([])
    })
  )

  it.effect("conflicts with what was handled since, when it is tried again", () =>
    Effect.gen(function* () {
      const { backend, failing, inputs, node, storeId } = yield* setUp()
      failing.clear()
      const entries = (yield* backend.feeds.read(storeId, 1, { maxEntries: 10, maxBytes: 1_000_000 })).entries
      yield* node.processing.failures.retry(storeId, 2)
      yield* rest
      const later = entries.slice(2).map(({ entry }) => entry.idString)
      expect(inputs.map(({ conflicts }) => conflicts.map(({ entry }) => entry.idString))).toEqual([later])
      expect(inputs[0]?.conflicts.map(({ payload }) => payload.value)).toEqual([3, 4, 5])
    })
  )

  it.effect("is tried again by the node that holds the lease, whichever is asked", () =>
    Effect.gen(function* () {
      const { backend, failing, node, services, storeId, tried } = yield* setUp({ linger: "1 hour" })
      const other = makeFlaky()
      const asked = yield* startNode(services, other.handlers)
      failing.clear()
      yield* asked.processing.failures.retry(storeId, 2)
      yield* pass(31)
      expect([tried, other.tried]).toEqual([[2], []])
      expect(yield* sequencesIn(backend, storeId)).toEqual([4])
      yield* node.close
      yield* asked.processing.failures.retry(storeId, 4)
      yield* pass(2)
      expect([tried, other.tried]).toEqual([[2], [4]])
    })
  )

  it.effect("is tried again by another node where the one that was asked is gone", () =>
    Effect.gen(function* () {
      const { backend, node, services, storeId } = yield* setUp()
      yield* node.close
      yield* backend.progress.failures.retry(storeId, [2, 4])
      const other = makeFlaky()
      yield* startNode(services, other.handlers)
      yield* rest
      expect(other.tried).toEqual([2, 4])
      expect(yield* keptIn(backend, storeId)).toEqual([])
    })
  )

  it.effect("waits for its turn", () =>
    Effect.gen(function* () {
      const { backend, failing, node, storeId, tried } = yield* setUp({ retry })
      failing.clear()
      failing.set(6, "not yet")
      yield* commit(backend, node, storeId, setRecords(6, 7))
      yield* rest
      yield* node.processing.failures.retry(storeId, 2)
      yield* rest
      expect(tried).toEqual([6])
      failing.clear()
      yield* pass(2)
      expect(tried).toEqual([6, 6, 7, 2])
    })
  )

  it.effect("is gone with a feed that was lost", () =>
    Effect.gen(function* () {
      const { backend, failing, node, storeId, tried } = yield* setUp()
      failing.clear()
      const [kept] = yield* keptIn(backend, storeId)
      yield* backend.progress.failures.record(storeId, [{ ...kept!, entryId: EventJournal.makeEntryIdUnsafe() }])
      yield* node.processing.failures.retry(storeId, 2)
      yield* rest
      expect(tried).toEqual([])
      expect(yield* sequencesIn(backend, storeId)).toEqual([4])
    })
  )

  it.effect("stops its store when it is one too many, until there is room", () =>
    Effect.gen(function* () {
      const stops: Array<TooManyFailures> = []
      const { backend, failing, handled, node, storeId, tried } = yield* setUp({
        maxFailures: 2,
        onTooManyFailures: (stop) => stops.push(stop)
      })
      failing.set(7, "not yet")
      yield* commit(backend, node, storeId, setRecords(6, 9))
      yield* rest
      expect(tried).toEqual([6, 7])
      expect(stops).toEqual([{ storeId, cursor: 6, failures: 2 }])
      expect(yield* sequencesIn(backend, storeId)).toEqual([2, 4])
      expect(yield* Effect.flip(node.processing.processed(storeId, 7))).toBeInstanceOf(ProcessingStoppedError)
      expect(node.processing.stats().stopped).toBe(1)
      // Nothing runs while it is stopped.
      yield* commit(backend, node, storeId, setRecords(10, 10))
      yield* pass(61)
      expect(tried).toEqual([6, 7])
      yield* node.processing.failures.discard(storeId, 2)
      yield* rest
      expect(yield* sequencesIn(backend, storeId)).toEqual([4, 7])
      yield* node.processing.processed(storeId, 10)
      expect(handled).toEqual([1, 3, 5, 6, 8, 9, 10])
      expect(node.processing.stats().stopped).toBe(0)
      expect(stops).toHaveLength(1)
    })
  )

  it.effect("makes room when it is handled", () =>
    Effect.gen(function* () {
      const { backend, failing, handled, node, storeId } = yield* setUp({ maxFailures: 2 })
      failing.set(6, "not yet")
      yield* commit(backend, node, storeId, setRecords(6, 7))
      yield* rest
      failing.clear()
      expect(yield* node.processing.failures.retryAll({})).toBe(2)
      yield* rest
      yield* node.processing.processed(storeId, 7)
      expect(handled.toSorted((a, b) => a - b)).toEqual(range(1, 7))
      expect(yield* keptIn(backend, storeId)).toEqual([])
    })
  )
})

describe("failures", () => {
  it.live("are kept and settled whatever the backend does", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      let calls = 0
      const guard = <A>(call: Effect.Effect<A, StorageError>) =>
        Effect.suspend(() =>
          calls++ % 3 === 2
            ? call
            : Effect.fail(new StorageError({ operation: "failures", retryable: true, cause: "away" }))
        )
      const { failures } = backend.progress
      const services = Context.add(backend.services, StoreProgress, {
        ...backend.progress,
        failures: {
          record: (...args) => guard(failures.record(...args)),
          list: (...args) => guard(failures.list(...args)),
          retry: failures.retry,
          settle: (...args) => guard(failures.settle(...args))
        }
      })
      const flaky = makeFlaky()
      const storeId = freshStoreId()
      for (const value of range(1, 20)) if (value % 3 === 0) flaky.failing.set(value, "no")
      const node = yield* startNode(services, flaky.handlers, { outageRetry: { min: 1, max: 2 } })
      yield* commit(backend, node, storeId, setRecords(1, 20))
      yield* node.processing.processed(storeId, 20)
      expect(yield* sequencesIn(backend, storeId)).toEqual([3, 6, 9, 12, 15, 18])
      flaky.failing.clear()
      yield* failures.retry(storeId, [3, 6, 9, 12, 15, 18])
      const again = yield* startNode(services, flaky.handlers, {
        outageRetry: { min: 1, max: 2 },
        leaseRetry: { min: 1, max: 2 }
      })
      yield* node.close
      yield* Effect.sleep(2).pipe(
        Effect.andThen(keptIn(backend, storeId)),
        Effect.repeat({ until: (kept) => kept.length === 0 })
      )
      expect(flaky.handled.toSorted((a, b) => a - b)).toEqual(range(1, 20))
      yield* again.close
    })
  )

  it.live("are tried again by another node where the one that tried them died", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const connection = makeConnection(backend.services)
      const dying = makeFlaky()
      const storeId = freshStoreId()
      for (const value of [1, 2, 3]) dying.failing.set(value, "no")
      const handlers = handlersOf(({ payload }) =>
        Effect.suspend(() => {
          if (payload.value === 2 && dying.failing.size === 0) connection.become("cut")
          return dying.failing.has(payload.value) ? Effect.fail("no") : Effect.void
        })
      )
      const node = yield* startNode(connection.services, handlers)
      yield* commit(backend, node, storeId, setRecords(1, 3))
      yield* node.processing.processed(storeId, 3)
      yield* untilCursor(backend, storeId, 3)
      dying.failing.clear()
      yield* node.processing.failures.retryAll({})
      yield* Effect.sleep(2).pipe(
        Effect.andThen(sequencesIn(backend, storeId)),
        Effect.repeat({ until: ([first]) => first !== 1 })
      )
      // Its lease is lost.
      backend.state.progress.holders.delete(storeId)
      const next = makeFlaky()
      yield* startNode(backend.services, next.handlers)
      yield* Effect.sleep(2).pipe(
        Effect.andThen(keptIn(backend, storeId)),
        Effect.repeat({ until: (kept) => kept.length === 0 })
      )
      expect(next.handled.at(-1)).toBe(3)
    })
  )
})

const untilCursor = (backend: TestBackend, storeId: StoreId, cursor: number) =>
  Effect.sleep(2).pipe(
    Effect.andThen(backend.progress.cursors([storeId])),
    Effect.repeat({ until: ([reached]) => reached === cursor })
  )

describe.each(modes)("an entry that waits for a deploy, in %s", (_, servicesOf) => {
  const start = Effect.fnUntraced(function* (
    services: Context.Context<BackendServices>,
    handlers: Layer.Layer<never, never, EventLog.Registry>
  ): Effect.fn.Return<Effect.Success<ReturnType<typeof startNode>>, never, Scope.Scope> {
    return yield* startNode(services, handlers, { retry, leaseRetry: { min: 100, max: 100 } })
  })

  /** Handlers of a version of the app that reads what this one can't, and of one event more. */
  const laterHandlers = (handled: Array<string>) => {
    const Later = EventGroup.empty.add({ tag: "Set", primaryKey: () => "key", payload: Schema.Uint8Array }).add({
      tag: "Renamed",
      primaryKey: () => "key",
      payload: Schema.Struct({ key: Schema.String, value: Schema.Number })
    })
    return EventLog.group(Later, (handlers) =>
      handlers
        .handle("Set", () => Effect.sync(() => void handled.push("Set")))
        .handle("Renamed", () => Effect.sync(() => void handled.push("Renamed")))
    ) as Layer.Layer<never, never, EventLog.Registry>
  }
  const { Set: LaterSet } = EventGroup.empty.add({ tag: "Set", primaryKey: () => "key", payload: Schema.Uint8Array })
    .events as Record<string, { readonly payloadSchemaBinary: Schema.Top }>
  const encodeLater = Schema.encodeUnknownSync(LaterSet?.payloadSchemaBinary as Schema.Codec<unknown, Uint8Array>)
  const laterSet = (): FeedRecord => {
    const record = setRecord(0)
    return {
      ...record,
      entry: new EventJournal.Entry(
        { ...record.entry, payload: encodeLater(Uint8Array.from([1, 2, 3])) },
        { disableChecks: true }
      )
    }
  }
  const renamed = (record: FeedRecord): FeedRecord => ({
    ...record,
    entry: new EventJournal.Entry({ ...record.entry, event: "Renamed" }, { disableChecks: true })
  })

  it.effect("is kept as what it is, and not tried again in vain", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const flaky = makeFlaky()
      const node = yield* start(servicesOf(backend), flaky.handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, [setRecord(1), garbled(setRecord(2)), renamed(setRecord(3)), setRecord(4)])
      yield* node.processing.processed(storeId, 4)
      expect(flaky.handled).toEqual([1, 4])
      expect(yield* keptIn(backend, storeId)).toMatchObject([
        { sequence: 2, reason: "Undecodable", attempts: 1 },
        { sequence: 3, reason: "NoHandler", event: "Renamed", attempts: 1 }
      ])
      yield* node.close
      const again = yield* start(servicesOf(backend), flaky.handlers)
      yield* untilSaved
      expect(yield* keptIn(backend, storeId)).toMatchObject([{ attempts: 1 }, { attempts: 1 }])
      // Also not where somebody asks for it.
      yield* again.processing.failures.retryAll({})
      yield* rest
      expect(yield* keptIn(backend, storeId)).toMatchObject([{ attempts: 1 }, { attempts: 1 }])
      expect(flaky.handled).toEqual([1, 4])
    })
  )

  it.effect("is tried again by itself when a node starts that can run it", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const flaky = makeFlaky()
      const node = yield* start(servicesOf(backend), flaky.handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, [setRecord(1), laterSet(), renamed(setRecord(3)), setRecord(4)])
      yield* node.processing.processed(storeId, 4)
      expect(yield* keptIn(backend, storeId)).toMatchObject([{ reason: "Undecodable" }, { reason: "NoHandler" }])
      // The deployed version starts before the old one ends, which still holds the lease.
      const handled: Array<string> = []
      yield* start(servicesOf(backend), laterHandlers(handled))
      yield* pass(2)
      expect(handled).toEqual([])
      yield* node.close
      yield* pass(2)
      expect(handled).toEqual(["Set", "Renamed"])
      expect(yield* keptIn(backend, storeId)).toEqual([])
    })
  )
})
