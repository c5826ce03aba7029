import { describe, it } from "@effect/vitest"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import type { RefusalStatus } from "../../src/connection/connections.ts"
import { makeScene, type Scene, type SceneOptions } from "./harness.ts"

const info = { remoteAddress: "192.0.2.1", headers: { upgrade: "websocket" }, principal: undefined }

const rest = Effect.forEach(Array.from({ length: 50 }), () => Effect.yieldNow, { discard: true })

/** Peers that ask to be let in, one after the other, and what they were told in the order in which they were. */
const makeQueue = ({ server }: Scene) => {
  const told: Array<readonly [name: string, status: RefusalStatus | undefined]> = []
  const ask = (name: string) =>
    Effect.forkChild(Effect.map(server.admit(info), (status) => void told.push([name, status])))
  return { told, ask }
}

/** A scene with as many connections that prove nothing as there may be: two. */
const makeFullScene = Effect.fnUntraced(function* (options: SceneOptions = {}) {
  const scene = yield* makeScene({
    sessionAuth: "required",
    ...options,
    limits: { maxUnprovedConnections: 2, ...options.limits }
  })
  const [first, second] = [scene.connect(), scene.connect()]
  yield* first.nth("Hello")
  yield* second.nth("Hello")
  return { scene, first, second, ...makeQueue(scene) }
})

describe("a connection that is to be opened while too many prove no key", () => {
  it.effect("waits until one of them did, those who came first before the others", () =>
    Effect.gen(function* () {
      const { ask, first, scene, second, told } = yield* makeFullScene()
      for (const name of ["a", "b", "c"]) yield* ask(name)
      yield* rest
      expect(told).toEqual([])
      yield* first.prove("A", makeSigningKey())
      yield* rest
      expect(told).toEqual([["a", undefined]])
      // The place is that of the one who was let in, until it is there.
      yield* ask("d")
      yield* rest
      expect(told).toHaveLength(1)
      scene.connect()
      second.cut()
      yield* rest
      expect(told).toEqual([
        ["a", undefined],
        ["b", undefined]
      ])
    })
  )

  it.effect("takes the place of one that was let in and never came", () =>
    Effect.gen(function* () {
      const { ask, first, told } = yield* makeFullScene()
      yield* ask("gone")
      yield* ask("next")
      first.cut()
      yield* rest
      expect(told).toEqual([["gone", undefined]])
      yield* TestClock.adjust("200 millis")
      yield* rest
      expect(told).toEqual([
        ["gone", undefined],
        ["next", undefined]
      ])
    })
  )

  it.effect("waits two seconds for those who begin no proof, and closes none that did", () =>
    Effect.gen(function* () {
      const checking = Effect.never
      const { ask, first, second, told } = yield* makeFullScene({ wrapRegistry: () => ({ bind: () => checking }) })
      yield* Effect.forkChild(first.prove("A", makeSigningKey()))
      yield* ask("a")
      yield* TestClock.adjust("1900 millis")
      expect([first.closes, second.closes, told]).toEqual([[], [], []])
      yield* TestClock.adjust("300 millis")
      yield* rest
      expect(first.closes).toEqual([])
      expect(second.closes).toMatchObject([{ code: 1013, reason: "No key was proved while others wait" }])
      expect(told).toEqual([["a", undefined]])
    })
  )

  it.effect("is told at once where it asks for no upgrade, and takes no place", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ sessionAuth: "required", limits: { maxUnprovedConnections: 1 } })
      const curious = { ...info, headers: {} }
      expect([yield* scene.server.admit(curious), yield* scene.server.admit(curious)]).toEqual([undefined, undefined])
      expect(yield* scene.server.admit(info)).toBeUndefined()
      expect(yield* scene.server.admit(curious)).toBeUndefined()
    })
  )

  it.effect("counts as one of its address while it waits", () =>
    Effect.gen(function* () {
      const { ask, scene, told } = yield* makeFullScene({ limits: { maxConnectionsPerAddress: 1 } })
      yield* ask("a")
      yield* ask("b")
      yield* rest
      expect(told).toEqual([["b", 429]])
      expect(yield* scene.server.admit({ ...info, headers: {}, remoteAddress: "192.0.2.2" })).toBeUndefined()
    })
  )

  it.effect("is refused where there are too many with those who wait, and when the server closes", () =>
    Effect.gen(function* () {
      const { ask, scene, told } = yield* makeFullScene({ limits: { maxConnections: 4 } })
      yield* ask("a")
      const gone = yield* ask("b")
      yield* rest
      yield* ask("c")
      yield* rest
      expect(told).toEqual([["c", 503]])
      yield* Fiber.interrupt(gone)
      yield* ask("d")
      yield* rest
      expect(told).toHaveLength(1)
      yield* Effect.forkChild(scene.close)
      yield* rest
      expect(told).toEqual([
        ["c", 503],
        ["a", 503],
        ["d", 503]
      ])
    })
  )
})
