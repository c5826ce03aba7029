import { describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { expect } from "vitest"
import type { Appended, FeedRecord, FeedStore } from "../../src/backend/FeedStore.ts"
import { StorageError } from "../../src/backend/StorageError.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import { entry, makeScene, type Outcome } from "./harness.ts"

type Append = FeedStore["Service"]["append"]

const failing = (retryable: boolean) =>
  Effect.fail(new StorageError({ operation: "FeedStore.append", retryable, cause: "away" }))

const keysOf = (records: ReadonlyArray<FeedRecord>) => records.map(({ entry }) => entry.primaryKey)

/** Holds every append back until the test opens the gate, and writes down what was appended together. */
const makeGate = () => {
  const gate = Deferred.makeUnsafe<void>()
  const groups: Array<ReadonlyArray<string>> = []
  return {
    groups,
    /** Waits until an append was begun. */
    begun: Effect.repeat(Effect.yieldNow, { until: () => groups.length > 0 }),
    open: Effect.asVoid(Deferred.succeed(gate, undefined)),
    wrap:
      (append: Append): Append =>
      (storeId, records) => {
        groups.push(keysOf(records))
        return Effect.andThen(Deferred.await(gate), append(storeId, records))
      }
  }
}

describe("the append queue", () => {
  it.effect("appends together what arrives while an append is in flight, in the order of arrival", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const scene = yield* makeScene(gate.wrap)
      const outcomes = [scene.submit([entry("a")])]
      yield* gate.begun
      expect(gate.groups).toEqual([["a"]])
      for (const keys of [["b", "c"], ["d"]]) outcomes.push(scene.submit(keys.map((key) => entry(key))))
      yield* gate.open
      yield* scene.ingest.idle
      expect(gate.groups).toEqual([["a"], ["b", "c", "d"]])
      expect(outcomes.map(({ sequenceNumbers }) => sequenceNumbers)).toEqual([[1], [2, 3], [4]])
      expect(yield* scene.stored).toEqual(["a", "b", "c", "d"])
    })
  )

  it.effect("appends together what arrives in one turn of the event loop", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const scene = yield* makeScene(gate.wrap)
      const outcomes = ["a", "b", "c"].map((key) => scene.submit([entry(key)]))
      yield* gate.open
      yield* scene.ingest.idle
      expect(gate.groups).toEqual([["a", "b", "c"]])
      expect(outcomes.map(({ sequenceNumbers }) => sequenceNumbers)).toEqual([[1], [2], [3]])
    })
  )

  it.effect("bounds an append in entries and bytes, unless a single request is bigger", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const scene = yield* makeScene(gate.wrap, { maxAppendEntries: 3, maxAppendBytes: 1_000 })
      scene.submit([entry("first")])
      yield* gate.begun
      for (const key of ["a", "b", "c", "d"]) scene.submit([entry(key)])
      scene.submit([entry("big", 2_000)])
      scene.submit([entry("e", 600)])
      scene.submit([entry("f", 600)])
      scene.submit(["1", "2", "3", "4"].map((key) => entry(key)))
      yield* gate.open
      yield* scene.ingest.idle
      expect(gate.groups).toEqual([["first"], ["a", "b", "c"], ["d"], ["big"], ["e"], ["f"], ["1", "2", "3", "4"]])
    })
  )

  it.effect("lets no store wait for another", () =>
    Effect.gen(function* () {
      const stuck = StoreId.make("stuck")
      const scene = yield* makeScene((append) => (id, records) => (id === stuck ? Effect.never : append(id, records)))
      const waiting = scene.submit([entry()], { storeId: stuck })
      const other = scene.submit([entry()])
      yield* Effect.repeat(Effect.yieldNow, { until: () => other.exits.length > 0 })
      expect(other.sequenceNumbers).toEqual([1])
      expect(waiting.exits).toEqual([])
    })
  )

  it.effect.each([
    ["was committed", Effect.void],
    ["failed", failing(true)],
    ["died", Effect.die(new Error("a bug"))]
  ] as const)("refuses for now what is more than may wait, until what waits %s", ([, ending]) =>
    Effect.gen(function* () {
      const gate = makeGate()
      const scene = yield* makeScene(
        (append) => gate.wrap((storeId, records) => Effect.andThen(ending, append(storeId, records))),
        { maxPendingStoreBytes: 1_000 }
      )
      const first = scene.submit([entry("k", 5_000)])
      const second = scene.submit([entry("k", 1)])
      expect(first.exits).toEqual([])
      expect(second.failure).toBe("RateLimited")
      yield* gate.open
      yield* scene.ingest.idle
      const third = scene.submit([entry("k", 5_000)])
      yield* scene.ingest.idle
      expect(third.failure).toBe(first.failure)
      expect(first.failure).not.toBe("RateLimited")
    })
  )

  it.effect("counts what waits, not what was committed, also while the store is never idle", () =>
    Effect.gen(function* () {
      const gates = [makeGate(), makeGate(), makeGate()]
      let appends = 0
      const scene = yield* makeScene(
        (append) =>
          (...args) =>
            gates[appends++]!.wrap(append)(...args),
        {
          maxPendingStoreBytes: 1_000
        }
      )
      const outcomes = [scene.submit([entry("a", 600)]), scene.submit([entry("b", 300)])]
      yield* gates[0]!.open
      yield* Effect.repeat(Effect.yieldNow, { times: 5 })
      outcomes.push(scene.submit([entry("c", 600)]))
      for (const gate of gates) yield* gate.open
      yield* scene.ingest.idle
      expect(outcomes.map(({ sequenceNumbers }) => sequenceNumbers)).toEqual([[1], [2], [3]])
    })
  )

  const endings: ReadonlyArray<readonly [string, (append: Append) => Append, string]> = [
    ["fails for now", () => () => failing(true), "StorageError"],
    ["fails for good", () => () => failing(false), "StorageError"],
    ["dies", () => () => Effect.die(new Error("a bug")), "Die"],
    ["interrupts itself", () => () => Effect.interrupt, "Unavailable"],
    [
      "answers too few slots",
      (append) => (storeId, records) =>
        Effect.map(append(storeId, records), (slots): ReadonlyArray<Appended> => slots.slice(1)),
      "Die"
    ]
  ]

  it.effect.each(endings)("completes every write once when the backend %s, and goes on", ([, broken, failure]) =>
    Effect.gen(function* () {
      const gate = makeGate()
      let isBroken = true
      const scene = yield* makeScene((append) =>
        gate.wrap((storeId, records) => Effect.suspend(() => (isBroken ? broken(append) : append)(storeId, records)))
      )
      const outcomes = ["a", "b", "c", "d"].map((key) => scene.submit([entry(key)]))
      yield* gate.open
      yield* scene.ingest.idle
      for (const { exits } of outcomes) expect(exits).toHaveLength(1)
      expect(outcomes.map((outcome) => outcome.failure)).toEqual([failure, failure, failure, failure])
      isBroken = false
      const next = scene.submit([entry("e")])
      yield* scene.ingest.idle
      expect(next.sequenceNumbers).toHaveLength(1)
    })
  )

  it.effect("completes every write once when the backend throws, and goes on", () =>
    Effect.gen(function* () {
      let calls = 0
      const scene = yield* makeScene((append) => (storeId, records) => {
        if (calls++ === 0) throw new Error("a bug")
        return append(storeId, records)
      })
      const first = scene.submit([entry("a")])
      yield* scene.ingest.idle
      expect(first.exits).toHaveLength(1)
      expect(first.failure).toBe("Die")
      const second = scene.submit([entry("b")])
      yield* scene.ingest.idle
      expect(second.sequenceNumbers).toEqual([1])
    })
  )

  it.effect("tries the requests of a group one by one when it failed for good, and no other group", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const scene = yield* makeScene((append) =>
        gate.wrap((storeId, records) =>
          keysOf(records).includes("poison") ? failing(false) : append(storeId, records)
        )
      )
      const outcomes = ["a", "b", "poison", "c"].map((key) => scene.submit([entry(key)]))
      yield* gate.open
      yield* scene.ingest.idle
      expect(gate.groups).toEqual([["a", "b", "poison", "c"], ["a"], ["b"], ["poison"], ["c"]])
      expect(outcomes.map(({ sequenceNumbers }) => sequenceNumbers)).toEqual([[1], [2], undefined, [3]])
    })
  )

  it.effect.each([
    ["is away", failing(true), "StorageError"],
    ["interrupts itself", Effect.interrupt, "Unavailable"]
  ] as const)("fails a group together while the backend %s", ([, broken, failure]) =>
    Effect.gen(function* () {
      const gate = makeGate()
      const scene = yield* makeScene(() => gate.wrap(() => broken))
      const outcomes = ["a", "b", "c"].map((key) => scene.submit([entry(key)]))
      yield* gate.open
      yield* scene.ingest.idle
      expect(gate.groups).toEqual([["a", "b", "c"]])
      expect(outcomes.map((outcome) => outcome.failure)).toEqual([failure, failure, failure])
    })
  )

  const isComplete = (outcomes: ReadonlyArray<Outcome>) => outcomes.every(({ exits }) => exits.length === 1)

  it.effect("completes what is in flight, what waits and what comes later when the room closes", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene(() => () => Effect.never)
      const outcomes = ["a", "b", "c"].map((key) => scene.submit([entry(key)]))
      yield* scene.close
      outcomes.push(scene.submit([entry("late")]))
      expect(isComplete(outcomes)).toBe(true)
      expect(outcomes.map(({ failure }) => failure)).toEqual(Array(4).fill("ShuttingDown"))
    })
  )

  it.effect("completes the rest of a group that is tried one by one when the room closes", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const scene = yield* makeScene((append) =>
        gate.wrap((storeId, records) => {
          if (keysOf(records).includes("stuck")) return records.length > 1 ? failing(false) : Effect.never
          return append(storeId, records)
        })
      )
      const outcomes = ["a", "b", "stuck", "c", "d"].map((key) => scene.submit([entry(key)]))
      yield* gate.open
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      expect(outcomes.map(({ exits }) => exits.length)).toEqual([1, 1, 0, 0, 0])
      yield* scene.close
      expect(isComplete(outcomes)).toBe(true)
      expect(outcomes.slice(2).map(({ failure }) => failure)).toEqual(Array(3).fill("ShuttingDown"))
    })
  )
})
