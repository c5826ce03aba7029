import { describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { expect } from "vitest"
import { Comeback } from "../../src/connection/Comeback.ts"
import { retryAfterOf } from "../../src/wire/retryAfter.ts"
import { makeScene } from "./harness.ts"

describe("the devices of a server that is gone", () => {
  it.effect("spread over as long as their number takes, and 30 seconds at most", () =>
    Effect.gen(function* () {
      const comeback = new Comeback(800, yield* Random.Random)
      expect([0, 80, 8_000, 24_000, 1_000_000].map((count) => comeback.spread(count))).toEqual([
        ...[0, 100, 10_000, 30_000, 30_000]
      ])
      // Told in steps, and not at all where they are few.
      expect([0, 200, 201, 400, 401, 20_000, 1_000_000].map((count) => comeback.announced(count))).toEqual([
        ...[0, 0, 500, 500, 1_000, 30_000, 30_000]
      ])
    })
  )

  it.effect("are told apart: each has a time of its own, any within the spread", () =>
    Effect.gen(function* () {
      const comeback = new Comeback(100, yield* Random.Random)
      const waits = Array.from({ length: 200 }, () => retryAfterOf(comeback.reason("The server restarts", 200))!)
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(0)
      expect(Math.min(...waits)).toBeLessThan(500)
      expect(Math.max(...waits)).toBeGreaterThan(1_500)
      expect(Math.max(...waits)).toBeLessThanOrEqual(2_000)
    })
  )
})

describe("a server with many connections", () => {
  it.effect("says when each is to come back as it closes them, also to those who come meanwhile", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ reconnectsPerSecond: 1 })
      const wires = Array.from({ length: 20 }, () => scene.connect())
      yield* scene.server.drain
      const late = scene.connect()
      const closes = [...wires, late].flatMap((wire) => wire.closes)
      expect(closes.map(({ code }) => code)).toEqual(Array(21).fill(1012))
      const waits = closes.map(({ reason }) => retryAfterOf(reason)!)
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(0)
      expect(Math.max(...waits)).toBeLessThanOrEqual(20_000)
      expect(new Set(waits).size).toBeGreaterThan(10)
    })
  )

  it.effect(
    "announces how those spread who lose it without a close, and tells those who came before when they ask",
    () =>
      Effect.gen(function* () {
        const scene = yield* makeScene({ reconnectsPerSecond: 1 })
        const first = scene.connect()
        expect(first.all("Hello")).toMatchObject([{ reconnectWithin: 1_000 }])
        first.request({ _tag: "Ping", id: 1 })
        const others = Array.from({ length: 7 }, () => scene.connect())
        expect(others.at(-1)!.all("Hello")).toMatchObject([{ reconnectWithin: 8_000 }])
        first.request({ _tag: "Ping", id: 2 })
        first.request({ _tag: "Ping", id: 3 })
        expect(first.all("Pong")).toEqual([
          { _tag: "Pong", id: 1 },
          { _tag: "Pong", id: 2, reconnectWithin: 8_000 },
          { _tag: "Pong", id: 3 }
        ])
      })
  )

  it.effect("says nothing of it while its connections are few", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene()
      expect(scene.connect().all("Hello")[0]).not.toHaveProperty("reconnectWithin")
    })
  )
})
