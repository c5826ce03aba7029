import { describe, it } from "@effect/vitest"
import { Deferred, Effect, Logger, Metric, References, Schema } from "effect"
import { EventJournal } from "effect/eventlog"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import type { FeedRecord } from "../../src/backend/FeedStore.ts"
import { type HandlerFailure, HandlerTimeoutError, UndecodablePayloadError } from "../../src/processing/failures.ts"
import { handlerFailures } from "../../src/processing/metrics.ts"
import {
  commit,
  freshStoreId,
  handlersOf,
  makeBackend,
  makeJournal,
  rest,
  setRecord,
  setRecords,
  startNode
} from "./harness.ts"

/** Processes 1, 2, 3, where the handler of 2 does `second`; then says what became of them. */
const processThree = Effect.fnUntraced(function* (
  second: Effect.Effect<void, unknown>,
  whileItRuns: Effect.Effect<void> = Effect.void
) {
  const backend = yield* makeBackend
  const ended: Array<number> = []
  const failures: Array<HandlerFailure> = []
  const handlers = handlersOf(({ payload }) =>
    Effect.andThen(
      payload.value === 2 ? second : Effect.void,
      Effect.sync(() => void ended.push(payload.value))
    )
  )
  const node = yield* startNode(backend.services, handlers, {
    handlerTimeout: "10 seconds",
    onHandlerFailure: (failure) => failures.push(failure)
  })
  const storeId = freshStoreId()
  yield* commit(backend, node, storeId, setRecords(1, 3))
  yield* whileItRuns
  yield* node.processing.processed(storeId, 3)
  return { ended, failures, storeId, stats: node.processing.stats() }
})

const passTime = (duration: "10 seconds") => Effect.andThen(rest, TestClock.adjust(duration))

describe("an entry whose handler fails counts as processed", () => {
  it.effect("when it fails", () =>
    Effect.gen(function* () {
      const { ended, failures, stats, storeId } = yield* processThree(Effect.fail("no such list"))
      expect(ended).toEqual([1, 3])
      expect(failures).toMatchObject([
        {
          storeId,
          sequence: 2,
          author: "device",
          reason: "HandlerFailed",
          cause: "no such list",
          entry: { event: "Set" }
        }
      ])
      expect(stats).toMatchObject({ processed: 3, handlerFailures: 1 })
    })
  )

  it.effect("when it throws", () =>
    Effect.gen(function* () {
      const error = new Error("a bug")
      const throws = Effect.sync(() => {
        throw error
      })
      const { ended, failures } = yield* processThree(throws)
      expect(ended).toEqual([1, 3])
      expect(failures).toMatchObject([{ reason: "HandlerFailed", cause: error }])
    })
  )

  it.effect("when it interrupts itself", () =>
    Effect.gen(function* () {
      const { ended, failures } = yield* processThree(Effect.interrupt)
      expect(ended).toEqual([1, 3])
      expect(failures).toMatchObject([{ reason: "HandlerFailed", sequence: 2 }])
    })
  )

  for (const [how, hangs] of [
    ["hangs", Effect.never],
    ["can't be interrupted", Effect.uninterruptible(Effect.never)],
    ["answers interruption by hanging", Effect.onInterrupt(Effect.never, () => Effect.never)],
    ["is a promise that never settles", Effect.promise(() => new Promise<void>(() => {}))]
  ] as const) {
    it.effect(`when it ${how}, after handlerTimeout`, () =>
      Effect.gen(function* () {
        const { ended, failures } = yield* processThree(hangs, passTime("10 seconds"))
        expect(ended).toEqual([1, 3])
        expect(failures).toMatchObject([{ reason: "TimedOut", sequence: 2 }])
        expect(failures[0]?.cause).toBeInstanceOf(HandlerTimeoutError)
      })
    )
  }

  it.effect("and is interrupted when its time is up", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      yield* processThree(
        Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined)),
        passTime("10 seconds")
      )
      yield* Deferred.await(interrupted)
    })
  )

  it.effect("when its payload can't be decoded", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const failures: Array<HandlerFailure> = []
      const node = yield* startNode(backend.services, journal.handlers, {
        onHandlerFailure: (failure) => failures.push(failure)
      })
      const storeId = freshStoreId()
      const records = [setRecord(1), garbled(setRecord(2)), setRecord(3)]
      yield* commit(backend, node, storeId, records)
      yield* node.processing.processed(storeId, 3)
      expect(journal.values(storeId)).toEqual([1, 3])
      expect(failures).toMatchObject([{ reason: "Undecodable", sequence: 2 }])
      expect(failures[0]?.cause).toBeInstanceOf(UndecodablePayloadError)
      expect(failures[0]?.cause).toMatchObject({ cause: expect.any(Schema.SchemaError) })
    })
  )

  it.effect("and is logged and counted by its reason", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const logged: Array<unknown> = []
      const logger = Logger.make<unknown, void>(({ fiber, logLevel }) => {
        logged.push({ logLevel, ...fiber.getRef(References.CurrentLogAnnotations) })
      })
      const counter = handlerFailures.pipe(Metric.withAttributes({ reason: "HandlerFailed" }))
      const before = yield* Metric.value(counter)
      const node = yield* startNode(
        backend.services,
        handlersOf(() => Effect.fail("no")),
        {},
        [logger]
      )
      const storeId = freshStoreId()
      const records = setRecords(1, 1)
      yield* commit(backend, node, storeId, records)
      yield* node.processing.processed(storeId, 1)
      expect(logged).toEqual([
        {
          logLevel: "Error",
          storeId,
          sequence: 1,
          event: "Set",
          entryId: records[0]?.entry.idString,
          reason: "HandlerFailed"
        }
      ])
      expect((yield* Metric.value(counter)).count).toBe(before.count + 1)
    })
  )

  it.effect("whatever the logger does", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const journal = makeJournal()
      const logger = Logger.make<unknown, void>(() => {
        throw new Error("a bug in the logger")
      })
      const node = yield* startNode(backend.services, journal.handlers, {}, [logger])
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, [garbled(setRecord(1)), setRecord(2)])
      yield* node.processing.processed(storeId, 2)
      expect(journal.values(storeId)).toEqual([2])
      expect(node.processing.stats()).toMatchObject({ processed: 2, handlerFailures: 1 })
    })
  )

  it.effect("whatever onHandlerFailure does", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const callbacks = [
        () => {
          throw new Error("a bug in the callback")
        },
        () => Promise.reject(new Error("a bug in the callback")),
        () => new Promise(() => {})
      ]
      for (const onHandlerFailure of callbacks) {
        const node = yield* startNode(
          backend.services,
          handlersOf(() => Effect.fail("no")),
          { onHandlerFailure }
        )
        const storeId = freshStoreId()
        yield* commit(backend, node, storeId, setRecords(1, 3))
        yield* node.processing.processed(storeId, 3)
        expect(node.processing.stats().handlerFailures).toBe(3)
        yield* node.close
      }
    })
  )
})

const garbled = (record: FeedRecord): FeedRecord => ({
  ...record,
  entry: new EventJournal.Entry({ ...record.entry, payload: Uint8Array.from([255, 255, 255]) }, { disableChecks: true })
})
