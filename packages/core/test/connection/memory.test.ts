import { describe, it } from "@effect/vitest"
import type { Wire } from "@eventlog-server/testkit/devices"
import { todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Effect } from "effect"
import { expect } from "vitest"
import { countHeld } from "../server/garbage.ts"
import { makeScene, type Scene } from "./harness.ts"

const count = 20

const endings: ReadonlyArray<readonly [string, (scene: Scene, wire: Wire) => unknown]> = [
  ["was cut", (_, wire) => wire.cut()],
  ["was closed for what it sent", (_, wire) => wire.frame("text")],
  ["was disconnected", ({ server }) => Effect.runSync(server.disconnect({ publicKey: "A" }))]
]

/** Connects, proves a key, subscribes, writes, leaves a chunked message unfinished, and ends. */
const live = Effect.fnUntraced(function* (scene: Scene, end: (scene: Scene, wire: Wire) => unknown) {
  const wire = scene.connect()
  yield* wire.nth("Hello")
  yield* wire.prove("A", key)
  yield* wire.answer(wire.subscribe())
  yield* wire.answer(wire.write([todoAdded("a")]))
  wire.request({ _tag: "ChunkedMessage", id: 1, part: [0, 2], data: new Uint8Array(100_000) })
  yield* wire.settled
  end(scene, wire)
  return new WeakRef(wire)
})
const key = makeSigningKey()

describe("memory", () => {
  it.effect.each(endings)("of a connection that %s is let go", ([, end]) =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ sessionAuth: "required" })
      const wires = yield* Effect.replicateEffect(live(scene, end), count)
      expect(yield* scene.server.stats).toMatchObject({ connections: 0, subscriptions: 0, stores: 0 })
      expect(yield* Effect.promise(() => countHeld(wires))).toBe(0)
    })
  )
})
