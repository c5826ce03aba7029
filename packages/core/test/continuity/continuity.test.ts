import { describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, References } from "effect"
import type { EventJournal } from "effect/eventlog"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { FeedAdmin } from "../../src/backend/FeedAdmin.ts"
import { FeedStore } from "../../src/backend/FeedStore.ts"
import { FeedLostError, StorageError } from "../../src/backend/StorageError.ts"
import { freshStoreId, makeRecords, readAll, wholeFeed } from "../../src/conformance/fixtures.ts"
import { Continuity, type FeedLoss, layerContinuity } from "../../src/continuity/continuity.ts"
import { layerOf, makeMemoryState } from "../../src/memory/backend.ts"
import { loseTail } from "../memory/loseTail.ts"

type Admin = FeedAdmin["Service"]

const away = new StorageError({ operation: "FeedAdmin.rotateId", retryable: true, cause: "away" })

/** A store that nodes share, and what they were told. */
const makeBackend = () => {
  const state = makeMemoryState()
  const losses: Array<FeedLoss> = []
  const startNode = Effect.fnUntraced(function* (wrap: (admin: Admin) => Partial<Admin> = () => ({})) {
    const services = yield* Layer.build(layerOf(state))
    const admin = Context.get(services, FeedAdmin)
    const node = yield* Layer.buildWithMemoMap(
      layerContinuity((loss) => void losses.push(loss)).pipe(
        Layer.provide(Layer.succeedContext(Context.add(services, FeedAdmin, { ...admin, ...wrap(admin) })))
      ),
      Layer.makeMemoMapUnsafe(),
      yield* Effect.scope
    )
    const continuity = Context.get(node, Continuity)
    const told: Array<EventJournal.RemoteId> = []
    yield* continuity.onBroken((id) => void told.push(id))
    return { feeds: Context.get(node, FeedStore), continuity, told }
  })
  const storeId = freshStoreId()
  return {
    state,
    losses,
    storeId,
    startNode,
    /** The store loses its last entries, and gets others. */
    lose: Effect.fnUntraced(function* (count: number, others: number) {
      loseTail(state, storeId, count)
      const feeds = Context.get(yield* Layer.build(layerOf(state)), FeedStore)
      yield* feeds.append(storeId, makeRecords(others))
    }),
    id: () => String(state.feeds.id)
  }
}

const quietly = Effect.provide(Logger.layer([]))

const settle = Effect.repeat(Effect.yieldNow, { times: 30 })

describe("a loss", () => {
  it.effect("that many calls of two nodes meet gives the backend one id, and is told once", () =>
    Effect.gen(function* () {
      const { id, lose, losses, startNode, storeId } = makeBackend()
      const nodes = [yield* startNode(), yield* startNode()]
      yield* nodes[0]!.feeds.append(storeId, makeRecords(5))
      yield* readAll(nodes[1]!.feeds, storeId)
      const before = id()
      yield* lose(2, 3)
      const errors = yield* Effect.forEach(
        [...nodes, ...nodes, ...nodes],
        ({ feeds }, index) =>
          Effect.flip(
            index < 2
              ? Effect.asVoid(feeds.append(storeId, makeRecords(1)))
              : Effect.asVoid(feeds.read(storeId, 6, wholeFeed))
          ),
        { concurrency: "unbounded" }
      )
      for (const error of errors) expect(error).toBeInstanceOf(FeedLostError)
      expect(id()).not.toBe(before)
      expect(nodes.map(({ told }) => told.map(String))).toEqual([[id()], [id()]])
      yield* settle
      expect(losses).toEqual([{ storeId, sequence: 5 }])
      // Each goes on in the new history.
      for (const { feeds } of nodes) expect((yield* readAll(feeds, storeId)).head).toBe(6)
      expect(losses).toHaveLength(1)
    }).pipe(quietly)
  )

  it.effect("is not what a feed that has grown is taken for", () =>
    Effect.gen(function* () {
      const { id, losses, startNode, state, storeId } = makeBackend()
      const node = yield* startNode()
      yield* node.feeds.append(storeId, makeRecords(3))
      const other = Context.get(yield* Layer.build(layerOf(state)), FeedStore)
      const before = id()
      for (let round = 0; round < 3; round++) {
        yield* other.append(storeId, makeRecords(2))
        yield* node.feeds.append(storeId, makeRecords(1))
        yield* node.feeds.read(storeId, 1, { maxEntries: 2, maxBytes: 1_000 })
      }
      expect(id()).toBe(before)
      expect([losses, node.told]).toEqual([[], []])
    })
  )

  it.effect("ends what was read by a view of before, for good; a new view reads what there is", () =>
    Effect.gen(function* () {
      const { lose, startNode, storeId } = makeBackend()
      const node = yield* startNode()
      const view = node.continuity.view().feeds
      yield* view.append(storeId, makeRecords(3))
      yield* lose(1, 2)
      expect(yield* Effect.flip(node.feeds.append(storeId, makeRecords(1)))).toBeInstanceOf(FeedLostError)
      for (let attempt = 0; attempt < 2; attempt++) {
        expect(yield* Effect.flip(view.read(storeId, 1, wholeFeed))).toBeInstanceOf(FeedLostError)
        expect(yield* Effect.flip(view.append(storeId, makeRecords(1)))).toBeInstanceOf(FeedLostError)
        expect(yield* Effect.flip(view.read(freshStoreId(), 1, wholeFeed))).toBeInstanceOf(FeedLostError)
      }
      expect((yield* readAll(node.continuity.view().feeds, storeId)).head).toBe(4)
      expect(node.told).toHaveLength(1)
    }).pipe(quietly)
  )

  it.effect("is told when the backend takes a new id, however long it is away", () =>
    Effect.gen(function* () {
      const { id, lose, losses, startNode, storeId } = makeBackend()
      let failures = 5
      const node = yield* startNode((admin) => ({
        rotateId: (expected) => Effect.suspend(() => (failures-- > 0 ? Effect.fail(away) : admin.rotateId(expected)))
      }))
      yield* node.feeds.append(storeId, makeRecords(3))
      const before = id()
      yield* lose(1, 1)
      const write = yield* Effect.forkChild(Effect.flip(node.feeds.append(storeId, makeRecords(1))))
      const late = yield* Effect.forkChild(Effect.flip(node.feeds.read(storeId, 1, wholeFeed)))
      yield* settle
      expect([write.pollUnsafe(), late.pollUnsafe(), losses]).toEqual([undefined, undefined, []])
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(write)).toBeInstanceOf(FeedLostError)
      expect(yield* Fiber.join(late)).toBeInstanceOf(FeedLostError)
      expect(id()).not.toBe(before)
      expect(losses).toHaveLength(1)
      expect(node.told.map(String)).toEqual([id()])
    }).pipe(quietly)
  )

  it.effect("is told where the answer of the backend is lost that it has a new id", () =>
    Effect.gen(function* () {
      const { id, lose, losses, startNode, storeId } = makeBackend()
      let isLost = true
      const node = yield* startNode((admin) => ({
        rotateId: (expected) =>
          Effect.flatMap(admin.rotateId(expected), (rotation) => {
            if (!isLost) return Effect.succeed(rotation)
            isLost = false
            return Effect.fail(away)
          })
      }))
      yield* node.feeds.append(storeId, makeRecords(2))
      yield* lose(1, 1)
      const write = yield* Effect.forkChild(Effect.flip(node.feeds.append(storeId, makeRecords(1))))
      yield* settle
      const after = id()
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(write)
      expect(id()).toBe(after)
      expect(losses).toHaveLength(1)
    }).pipe(quietly)
  )

  it.effect("is dealt with though the call that met it is interrupted", () =>
    Effect.gen(function* () {
      const { id, lose, losses, startNode, storeId } = makeBackend()
      const gate = Deferred.makeUnsafe<void>()
      const node = yield* startNode((admin) => ({
        rotateId: (expected) => Effect.andThen(Deferred.await(gate), admin.rotateId(expected))
      }))
      yield* node.feeds.append(storeId, makeRecords(2))
      const before = id()
      yield* lose(1, 1)
      const write = yield* Effect.forkChild(node.feeds.append(storeId, makeRecords(1)))
      yield* settle
      yield* Fiber.interrupt(write)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      expect(id()).not.toBe(before)
      expect(losses).toHaveLength(1)
      expect((yield* readAll(node.feeds, storeId)).head).toBe(2)
    }).pipe(quietly)
  )
})

describe("an id that somebody else changed", () => {
  it.effect("ends what was known, without a loss", () =>
    Effect.gen(function* () {
      const { lose, losses, startNode, state, storeId } = makeBackend()
      const node = yield* startNode()
      const admin = Context.get(yield* Layer.build(layerOf(state)), FeedAdmin)
      yield* node.feeds.append(storeId, makeRecords(3))
      const view = node.continuity.view().feeds
      // As an operator does who restored a backup.
      yield* lose(1, 0)
      const { id } = yield* admin.rotateId(state.feeds.id)
      expect(String(yield* node.continuity.id)).toBe(String(id))
      expect(node.told.map(String)).toEqual([String(id)])
      expect(yield* Effect.flip(view.read(storeId, 1, wholeFeed))).toBeInstanceOf(FeedLostError)
      expect(yield* node.feeds.append(storeId, makeRecords(1))).toEqual([{ sequence: 3, isNew: true }])
      expect(losses).toEqual([])
      expect(state.feeds.id).toEqual(id)
    })
  )

  it.effect("is not believed from a reading that began before", () =>
    Effect.gen(function* () {
      const { lose, startNode, state, storeId } = makeBackend()
      let isSlow = false
      const gate = Deferred.makeUnsafe<void>()
      const node = yield* startNode((admin) => ({
        id: Effect.flatMap(admin.id, (id) =>
          Effect.suspend(() => (isSlow ? Effect.as(Deferred.await(gate), id) : Effect.succeed(id)))
        )
      }))
      yield* node.feeds.append(storeId, makeRecords(3))
      isSlow = true
      const reading = yield* Effect.forkChild(node.continuity.id, { startImmediately: true })
      yield* lose(1, 1)
      yield* Effect.flip(node.feeds.append(storeId, makeRecords(1)))
      const { id } = state.feeds
      yield* Deferred.succeed(gate, undefined)
      expect(String(yield* Fiber.join(reading))).toBe(String(id))
      expect(node.told.map(String)).toEqual([String(id)])
      expect(yield* node.feeds.append(storeId, makeRecords(1))).toHaveLength(1)
    }).pipe(quietly)
  )
})

describe("the id for those who come in crowds", () => {
  const counted = Effect.fnUntraced(function* (read: (admin: Admin) => Admin["id"] = (admin) => admin.id) {
    let looks = 0
    const backend = makeBackend()
    const node = yield* backend.startNode((admin) => ({
      id: Effect.suspend(() => {
        looks++
        return read(admin)
      })
    }))
    return { ...backend, ...node, looks: () => looks }
  })

  it.effect("is looked at once for all who come at the same time, and again after a moment", () =>
    Effect.gen(function* () {
      const { continuity, id, looks } = yield* counted((admin) => Effect.delay(admin.id, 5))
      const crowd = () => Effect.all(Array.from({ length: 50 }, continuity.recentId), { concurrency: "unbounded" })
      const first = yield* Effect.forkChild(crowd())
      yield* TestClock.adjust(5)
      expect(new Set((yield* Fiber.join(first)).map(String))).toEqual(new Set([id()]))
      yield* crowd()
      yield* TestClock.adjust(244)
      expect(Exit.isExit(continuity.recentId())).toBe(true)
      expect(looks()).toBe(1)
      yield* TestClock.adjust(1)
      const second = yield* Effect.forkChild(crowd())
      yield* TestClock.adjust(5)
      yield* Fiber.join(second)
      expect(looks()).toBe(2)
    })
  )

  it.effect("is the new one at once where this node has learnt of it", () =>
    Effect.gen(function* () {
      const { continuity, feeds, id, lose, looks, storeId } = yield* counted()
      yield* feeds.append(storeId, makeRecords(3))
      yield* lose(1, 2)
      const before = String(yield* continuity.recentId())
      yield* Effect.flip(feeds.append(storeId, makeRecords(1)))
      expect(String(yield* continuity.recentId())).toBe(id())
      expect(id()).not.toBe(before)
      expect(looks()).toBe(1)
    }).pipe(quietly)
  )

  it.effect("is not lost to others when the one who looks leaves, and neither is a failure kept", () =>
    Effect.gen(function* () {
      let failures = 1
      const { continuity, id } = yield* counted((admin) =>
        Effect.delay(
          Effect.suspend(() => (failures-- > 0 ? Effect.fail(away) : admin.id)),
          5
        )
      )
      const leaves = yield* Effect.forkChild(continuity.recentId())
      const stays = yield* Effect.forkChild(Effect.result(continuity.recentId()))
      yield* settle
      yield* Fiber.interrupt(leaves)
      yield* TestClock.adjust(5)
      expect(yield* Fiber.join(stays)).toMatchObject({ _tag: "Failure", failure: away })
      const again = yield* Effect.forkChild(continuity.recentId())
      yield* TestClock.adjust(5)
      expect(String(yield* Fiber.join(again))).toBe(id())
    })
  )

  it.effect("belongs to whoever asked", () =>
    Effect.gen(function* () {
      const { continuity, id } = yield* counted()
      ;(yield* continuity.recentId()).fill(0)
      ;(yield* continuity.recentId()).fill(0)
      expect(String(yield* continuity.recentId())).toBe(id())
    })
  )
})

it.effect("a backend whose id can't be read yet is written to and read, and known from when it can", () =>
  Effect.gen(function* () {
    const { lose, losses, startNode, storeId } = makeBackend()
    let isAway = true
    const node = yield* startNode((admin) => ({
      id: Effect.suspend(() => (isAway ? Effect.fail(away) : admin.id))
    }))
    yield* node.feeds.append(storeId, makeRecords(2))
    isAway = false
    yield* node.feeds.append(storeId, makeRecords(2))
    yield* lose(1, 1)
    expect(yield* Effect.flip(node.feeds.append(storeId, makeRecords(1)))).toBeInstanceOf(FeedLostError)
    expect(losses).toEqual([{ storeId, sequence: 4 }])
  }).pipe(quietly, Effect.provideService(References.MinimumLogLevel, "None"))
)

it.effect("what was written before the id could be read belongs to no history: it is no reason for another id", () =>
  Effect.gen(function* () {
    const { lose, losses, startNode, storeId } = makeBackend()
    let isAway = true
    const node = yield* startNode((admin) => ({
      id: Effect.suspend(() => (isAway ? Effect.fail(away) : admin.id))
    }))
    const other = yield* startNode()
    yield* node.feeds.append(storeId, makeRecords(2))
    yield* readAll(other.feeds, storeId)
    yield* lose(1, 1)
    yield* Effect.flip(readAll(other.feeds, storeId))
    isAway = false
    yield* node.feeds.append(storeId, makeRecords(1))
    expect(losses).toHaveLength(1)
  }).pipe(quietly)
)
