import { describe, it } from "@effect/vitest"
import { todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Deferred, Effect } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import type { ProtocolName } from "../../src/connection/protocol.ts"
import { makeScene, type Scene, storeId } from "../connection/harness.ts"
import { Caller, untilFound } from "./Caller.ts"
import { turnOfTheLoop } from "./rejections.ts"

const able = { canPause: false, canTell: true, canTerminate: true }
const protocols: ReadonlyArray<ProtocolName> = ["eventlog", "rpc"]
const big = () => Array.from({ length: 20 }, (_, index) => todoAdded("x".repeat(1_000) + index))

const heldBytes = ({ server }: Scene) => Effect.map(server.stats, ({ heldBytes }) => heldBytes)

describe("a write in parts that is refused", () => {
  it.effect.each(protocols)("is let go of: %s", (protocol) =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ sessionAuth: "required", limits: { maxInboundBytes: 64 * 1024 } })
      const caller = new Caller(scene.server, { ...able, protocol })
      yield* caller.prove("A", makeSigningKey())
      const id = caller.writeInParts("B", big())
      yield* caller.until(() => caller.ids("refused").find((refused) => refused === id))
      caller.link.cut()
      expect(yield* heldBytes(scene)).toBe(0)
    })
  )
})

describe("a subscription whose first frame ends its connection", () => {
  it.effect.each(protocols)("doesn't follow its store: %s", (protocol) =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ sessionAuth: "required", limits: { maxOutboundBytes: 4_000 } })
      yield* scene.server.writeToStore({ storeId, entries: big() })
      const caller = new Caller(scene.server, { ...able, protocol })
      yield* caller.prove("A", makeSigningKey())
      caller.link.isReading = false
      // What stays unread is nearly all that may, so that the next frame is too much.
      yield* Effect.promise(turnOfTheLoop)
      for (let count = 0; count < 13; count++) caller.link.frame(caller.dialect.ping())
      yield* Effect.promise(turnOfTheLoop)
      for (let count = 0; count < 20 && !caller.link.isOver; count++) {
        caller.link.frame(caller.dialect.subscribe(caller.nextId, "A", 1))
        yield* Effect.promise(turnOfTheLoop)
      }
      expect(caller.link.isOver).toBe(true)
      // A tail that nobody rides any more ends on a fiber of its own.
      yield* untilFound(Effect.map(scene.server.stats, ({ stores }) => (stores === 0 ? true : undefined)))
      expect(yield* scene.server.stats).toMatchObject({ connections: 0, subscriptions: 0, heldBytes: 0 })
    })
  )
})

describe("a part of a write that comes while it is looked up whether its key has a store", () => {
  it.effect("is let go of when the connection ends meanwhile", () =>
    Effect.gen(function* () {
      const gate = Deferred.makeUnsafe<void>()
      let isGated = false
      const scene = yield* makeScene({
        sessionAuth: "required",
        wrapRegistry: (registry) => ({
          bind: (...args) =>
            isGated ? Effect.andThen(Deferred.await(gate), registry.bind(...args)) : registry.bind(...args)
        })
      })
      const caller = new Caller(scene.server, { ...able, protocol: "rpc" })
      // It belongs to no store yet, and may act as soon as it does.
      yield* caller.prove("B", makeSigningKey())
      yield* scene.server.assign({ publicKey: "B", storeId })
      isGated = true
      yield* TestClock.adjust("5 seconds")
      caller.link.frame(caller.dialect.part(1, { id: 1, part: [0, 2], data: new Uint8Array(16_000) }))
      yield* Effect.promise(turnOfTheLoop)
      caller.link.cut()
      yield* Deferred.succeed(gate, undefined)
      yield* untilFound(Effect.map(scene.server.stats, ({ connections }) => (connections === 0 ? true : undefined)))
      for (let turn = 0; turn < 20; turn++) yield* Effect.promise(turnOfTheLoop)
      expect(yield* heldBytes(scene)).toBe(0)
    })
  )
})
