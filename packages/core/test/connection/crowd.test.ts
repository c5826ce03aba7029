import { describe, it } from "@effect/vitest"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { makeScene, type Scene, storeId } from "./harness.ts"

/** How many come together without being a crowd. */
const few = 256

/** Settles what needs no time. */
const settle = Effect.repeat(Effect.yieldNow, { times: 30 })

const subscribed = (wires: ReadonlyArray<ReturnType<Scene["connect"]>>): number =>
  wires.filter((wire) => wire.all("Subscribed").length > 0).length

describe("devices that come in a crowd", () => {
  it.effect("are looked up together", () =>
    Effect.gen(function* () {
      let turn = 0
      const turns: Array<number> = []
      const scene = yield* makeScene({
        wrapRegistry: ({ resolve }) => ({
          resolve: (publicKey) => {
            turns.push(turn)
            return resolve(publicKey)
          }
        })
      })
      const wires = Array.from({ length: few + 60 }, () => scene.connect())
      for (const wire of wires) {
        wire.subscribe()
        turn++
      }
      yield* settle
      expect(subscribed(wires)).toBe(few)
      yield* TestClock.adjust(10)
      yield* settle
      expect(subscribed(wires)).toBe(wires.length)
      expect(turns).toEqual([...Array(few).keys(), ...Array(60).fill(turn)])
      // Their tails are live by now, though they had to look, too.
      yield* TestClock.adjust(10)
      yield* scene.server.remove("A")
      yield* settle
      expect(wires.map((wire) => wire.all("Error").length)).toEqual(wires.map(() => 1))
    })
  )

  it.effect("are granted nothing that was taken from them while they waited", () =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ sessionAuth: "required" })
      const device = scene.connect()
      yield* device.nth("Hello")
      yield* device.prove("A", makeSigningKey())
      // Strangers that ask for what they may not have.
      for (let stranger = 0; stranger < few / 4; stranger++) {
        const wire = scene.connect()
        for (let time = 0; time < 4; time++) wire.subscribe()
      }
      const request = device.subscribe()
      yield* settle
      expect(device.all("Error")).toEqual([])
      yield* scene.server.assign({ publicKey: "A", storeId, signingPublicKey: makeSigningKey().signingPublicKey })
      yield* settle
      yield* TestClock.adjust(10)
      expect(yield* device.answer(request)).toMatchObject({ _tag: "Error", reason: "NotProved" })
      expect((yield* scene.server.stats).subscriptions).toBe(0)
    })
  )
})
