import { describe, it } from "@effect/vitest"
import { Deferred, Effect, type Layer } from "effect"
import { EventLog } from "effect/eventlog"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import type { HandlerFailure } from "../../src/processing/failures.ts"
import { CurrentAuthor } from "../../src/processing/handlers.ts"
import { type HandlerInput, layerAsyncHandlers } from "../../src/server/asyncHandlers.ts"
import {
  commit,
  freshStoreId,
  Group,
  makeBackend,
  modes,
  range,
  rest,
  setRecords,
  startNode,
  type TestNode
} from "./harness.ts"

type Input = HandlerInput<{ readonly key: string; readonly value: number }>

/** Plain functions as handlers. */
const plainHandlers = (onSet: (input: Input) => unknown): Layer.Layer<never, never, EventLog.Registry> =>
  layerAsyncHandlers(EventLog.schema(Group), { Set: onSet, Noted: () => {} }) as Layer.Layer<
    never,
    never,
    EventLog.Registry
  >

/** How many fibers there were until now. */
const fibers: Effect.Effect<number> = Effect.promise(async () => Effect.runSync(Effect.fiberId))

describe("a plain function as a handler", () => {
  it.effect("costs no fiber where it returns no promise, whatever it conflicts with", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const conflicts: Array<number> = []
      const node = yield* startNode(
        backend.services,
        plainHandlers((input) => void conflicts.push(input.conflicts.length))
      )
      const storeId = freshStoreId()
      const records = setRecords(1, 400)
      // Each conflicts with those before it: their ids are greater.
      yield* commit(backend, node, storeId, [...records.slice(0, 397), ...records.slice(397).toReversed()])
      const before = yield* fibers
      yield* node.processing.processed(storeId, 400)
      expect((yield* fibers) - before).toBeLessThan(60)
      expect(conflicts).toEqual([...range(1, 398).map(() => 0), 1, 2])
    })
  )
})

describe("a node that is closed by a handler itself", () => {
  const closing = Effect.fnUntraced(function* (done: () => unknown) {
    const backend = yield* makeBackend
    const values: Array<number> = []
    const closed = yield* Deferred.make<void>()
    const handlers = plainHandlers(({ payload }) => {
      values.push(payload.value)
      if (payload.value === 3) Effect.runFork(Effect.andThen(node.close, Deferred.succeed(closed, undefined)))
      return done()
    })
    const node: TestNode = yield* startNode(backend.services, handlers)
    const storeId = freshStoreId()
    yield* commit(backend, node, storeId, setRecords(1, 5))
    yield* Deferred.await(closed)
    return { values, cursors: yield* backend.progress.cursors([storeId]) }
  })

  it.effect("lets it end, counts it, and runs no other", () =>
    Effect.gen(function* () {
      const { cursors, values } = yield* closing(() => Promise.resolve())
      expect(values).toEqual([1, 2, 3])
      expect(cursors).toEqual([3])
    })
  )

  it.effect("counts all that ran, where none of them waits for anything", () =>
    Effect.gen(function* () {
      const { cursors, values } = yield* closing(() => undefined)
      expect(cursors).toEqual([values.at(-1)])
    })
  )
})

describe.each(modes)("a plain function as a handler, in %s", (_, servicesOf) => {
  it.effect("is told of the entry, and where it throws or rejects only its own entry fails", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const failures: Array<HandlerFailure> = []
      const seen: Array<unknown> = []
      const handlers = plainHandlers(({ author, payload, storeId }) => {
        seen.push([storeId, author, payload.value])
        if (payload.value === 1) throw new Error("thrown")
        if (payload.value === 2) return Promise.reject(new Error("rejected"))
        return payload.value === 3 ? Promise.resolve() : undefined
      })
      const node = yield* startNode(servicesOf(backend), handlers, {
        onHandlerFailure: (failure) => failures.push(failure)
      })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 4))
      yield* node.processing.processed(storeId, 4)
      expect(seen).toEqual(range(1, 4).map((value) => [storeId, "device", value]))
      expect(failures).toMatchObject([
        { sequence: 1, reason: "HandlerFailed", cause: { message: "thrown" } },
        { sequence: 2, reason: "HandlerFailed", cause: { message: "rejected" } }
      ])
    })
  )

  it.effect(
    "has an effect run that it returns or promises, which finds the author, fails as it fails, and ends in time",
    () =>
      Effect.gen(function* () {
        const backend = yield* makeBackend
        const failures: Array<HandlerFailure> = []
        const seen: Array<unknown> = []
        const interrupted: Array<number> = []
        const handlers = plainHandlers(({ payload: { value } }) => {
          const noted = Effect.gen(function* () {
            seen.push([value, yield* CurrentAuthor])
            if (value === 2) return yield* Effect.fail(new Error("failed"))
            if (value === 4) yield* Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted.push(value)))
            yield* Effect.yieldNow
            seen.push(value)
          })
          return value === 3 ? Promise.resolve(noted) : noted
        })
        const node = yield* startNode(servicesOf(backend), handlers, {
          handlerTimeout: "10 seconds",
          onHandlerFailure: (failure) => failures.push(failure)
        })
        const storeId = freshStoreId()
        yield* commit(backend, node, storeId, setRecords(1, 3))
        yield* node.processing.processed(storeId, 3)
        yield* commit(backend, node, storeId, setRecords(4, 5))
        yield* rest
        yield* TestClock.adjust("10 seconds")
        yield* node.processing.processed(storeId, 5)
        expect(seen).toEqual([[1, "device"], 1, [2, "device"], [3, "device"], 3, [4, "device"], [5, "device"], 5])
        expect(interrupted).toEqual([4])
        expect(failures).toMatchObject([
          { sequence: 2, reason: "HandlerFailed", cause: { message: "failed" } },
          { sequence: 4, reason: "TimedOut" }
        ])
      })
  )

  it.effect("has its signal aborted when its time is up", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const signals: Array<AbortSignal> = []
      const handlers = plainHandlers(({ payload, signal }) => {
        signals.push(signal)
        return payload.value === 1 ? new Promise(() => {}) : undefined
      })
      const node = yield* startNode(servicesOf(backend), handlers, { handlerTimeout: "10 seconds" })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, setRecords(1, 2))
      yield* rest
      yield* TestClock.adjust("9999 millis")
      expect(signals.map(({ aborted }) => aborted)).toEqual([false])
      yield* TestClock.adjust("1 millis")
      yield* node.processing.processed(storeId, 2)
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
      expect(node.processing.stats()).toMatchObject({ processed: 2, handlerFailures: 1 })
    })
  )
})
