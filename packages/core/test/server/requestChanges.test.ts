import { describe, it } from "@effect/vitest"
import { todosAdded } from "@eventlog-server/testkit/schema"
import { Cause, Effect, Exit, Fiber, Queue } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { pauseMillis } from "../../src/feed/News.ts"
import { EventLogServerAuthError } from "../../src/index.ts"
import { makeScene, storeId } from "../connection/harness.ts"

const forbidden = new EventLogServerAuthError({ reason: "Forbidden", publicKey: "A" })

const take = (queue: Queue.Dequeue<{ readonly remoteSequence: number }, unknown>, count: number) =>
  Effect.map(Effect.replicateEffect(Queue.take(queue), count), (entries) =>
    entries.map(({ remoteSequence }) => remoteSequence)
  )

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

/** Why the queue failed. */
const failureOf = (queue: Queue.Dequeue<unknown, unknown>) =>
  Effect.map(Effect.exit(Queue.take(queue)), (exit) => (Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined))

describe("requestChanges", () => {
  it.effect("delivers history and what is new, however slowly it is taken", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ limits: { maxPageEntries: 300 } })
      const write = (count: number) => scene.server.writeToStore({ storeId, entries: todosAdded(count) })
      yield* write(1_000)
      const queue = yield* scene.server.requestChanges("A", 3)
      expect(yield* take(queue, 1)).toEqual([3])
      yield* write(1_000)
      expect(yield* take(queue, 1_997)).toEqual(range(4, 2_000))
      // Two commits that don't fit the queue, with nothing behind them that would push them on.
      yield* write(400)
      yield* write(400)
      yield* Effect.yieldNow
      expect(yield* take(queue, 800)).toEqual(range(2_001, 2_800))
    })
  )

  it.effect("delivers entries that a reader may change: nobody else gets to see it", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const written = todosAdded(2)
      yield* scene.server.writeToStore({ storeId, entries: written })
      const [one, other] = [yield* scene.server.requestChanges("A", 0), yield* scene.server.requestChanges("A", 0)]
      yield* scene.server.writeToStore({ storeId, entries: todosAdded(1) })
      for (const { entry } of yield* Effect.replicateEffect(Queue.take(one), 3)) {
        entry.id.fill(0)
        entry.payload.fill(0)
      }
      const seen = yield* Effect.replicateEffect(Queue.take(other), 2)
      expect(seen.map(({ entry }) => entry)).toEqual(written)
      const again = yield* scene.server.requestChanges("A", 0)
      expect((yield* Queue.take(again)).entry).toEqual(written[0])
    })
  )

  it.effect.each([
    ["auth refuses", { auth: { authorizeRead: () => Effect.fail(forbidden) } }, "A", 0, forbidden],
    ["the key is not mapped", {}, "X", 0, { reason: "NotMapped" }],
    ["the cursor is beyond the feed", {}, "A", 2, { reason: "FeedMismatch" }]
  ] as const)("fails the queue where %s", ([, options, publicKey, start, cause]) =>
    Effect.gen(function* () {
      const scene = yield* makeScene(options)
      const queue = yield* scene.server.requestChanges(publicKey, start)
      expect(yield* failureOf(queue)).toMatchObject({ _tag: "EventLogRemoteError", method: "changes", cause })
    })
  )

  it.effect("fails the queue when the store is erased", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      const queue = yield* scene.server.requestChanges("A", 0)
      const failure = yield* Effect.forkChild(failureOf(queue), { startImmediately: true })
      yield* scene.server.erase(storeId)
      expect(yield* Fiber.join(failure)).toMatchObject({ cause: { _tag: "StoreErasedError" } })
    })
  )

  it.effect("fails the queue at once when the key is removed, and only its queues", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.server.assign({ publicKey: "B", storeId })
      const [removed, kept] = [yield* scene.server.requestChanges("A", 0), yield* scene.server.requestChanges("B", 0)]
      yield* scene.server.writeToStore({ storeId, entries: todosAdded(1) })
      for (const queue of [removed, kept]) expect(yield* take(queue, 1)).toEqual([1])
      yield* scene.server.remove("A")
      expect(yield* failureOf(removed)).toMatchObject({ cause: { reason: "NotMapped" } })
      yield* TestClock.adjust(pauseMillis)
      yield* scene.server.writeToStore({ storeId, entries: todosAdded(1) })
      expect(yield* take(kept, 1)).toEqual([2])
    })
  )

  it.effect("is checked again, and an outage takes nothing away", () =>
    Effect.gen(function* () {
      let answer: Effect.Effect<void, EventLogServerAuthError> = Effect.void
      const scene = yield* makeScene({
        reauthorizeInterval: "30 seconds",
        auth: { authorizeRead: () => Effect.suspend(() => answer) }
      })
      const queue = yield* scene.server.requestChanges("A", 0)
      yield* scene.server.writeToStore({ storeId, entries: todosAdded(1) })
      expect(yield* take(queue, 1)).toEqual([1])
      answer = Effect.die("away")
      yield* TestClock.adjust("1 minute")
      yield* scene.server.writeToStore({ storeId, entries: todosAdded(1) })
      expect(yield* take(queue, 1)).toEqual([2])
      answer = Effect.fail(forbidden)
      yield* TestClock.adjust("30 seconds")
      expect(yield* failureOf(queue)).toMatchObject({ cause: forbidden })
    })
  )

  it.effect("leaves nothing behind when its scope closes, also while its queue is full", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      yield* scene.server.writeToStore({ storeId, entries: todosAdded(1_000) })
      yield* Effect.scoped(scene.server.requestChanges("A", 0))
      yield* Effect.scoped(scene.server.requestChanges("A", 1_001))
      yield* Effect.yieldNow
      expect(yield* scene.server.stats).toMatchObject({ stores: 0 })
    })
  )
})
