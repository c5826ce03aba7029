import { describe, it } from "@effect/vitest"
import type { Wire } from "@eventlog-server/testkit/devices"
import { todosAdded } from "@eventlog-server/testkit/schema"
import { Deferred, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Packr } from "msgpackr"
import { expect } from "vitest"
import { EventLogServerAuthError } from "../../src/backend/EventLogServerAuth.ts"
import { StorageError } from "../../src/backend/StorageError.ts"
import { splitMessage } from "../../src/wire/chunks.ts"
import { encodeRequestUnencrypted } from "../../src/wire/codec.ts"
import { makeScene, type SceneOptions } from "./harness.ts"

const away = new StorageError({ operation: "FeedStore.append", retryable: true, cause: "away" })
const refused = new EventLogServerAuthError({ reason: "Forbidden", publicKey: "A" })
const packr = new Packr({ useRecords: false })

type Kind = readonly [name: string, send: (wire: Wire) => unknown, options?: SceneOptions]

const writeInParts = (wire: Wire, partBytes: number): void => {
  const message = encodeRequestUnencrypted({ _tag: "WriteEntries", id: 1, publicKey: "A", entries: todosAdded(8) })
  for (const frame of splitMessage(message, 1, partBytes)) wire.frame(frame)
}

const kinds: ReadonlyArray<Kind> = [
  ["a write", (wire) => wire.write(todosAdded(5))],
  [
    "a write that fails",
    (wire) => wire.write(todosAdded(5)),
    { wrapStore: () => ({ append: () => Effect.fail(away) }) }
  ],
  ["a write that is too big", (wire) => wire.write(todosAdded(9))],
  [
    "a write that auth refuses",
    (wire) => wire.write(todosAdded(5)),
    { auth: { authorizeWrite: () => Effect.fail(refused) } }
  ],
  ["a write of an unmapped key", (wire) => wire.write(todosAdded(5), "X")],
  ["a write of a key that can't be one", (wire) => wire.write(todosAdded(5), "\u0000")],
  ["a write above the rate", (wire) => wire.write(todosAdded(5)), { limits: { maxRequestsPerSecond: 1 } }],
  ["a write in parts", (wire) => writeInParts(wire, 100)],
  ["a subscription", (wire) => wire.subscribe()],
  ["a subscription that is refused", (wire) => wire.subscribe(7)],
  ["a stop", (wire) => wire.request({ _tag: "StopChanges", publicKey: "A" })],
  ["a Ping", (wire) => wire.request({ _tag: "Ping", id: 1 })],
  ["a Pong", (wire) => wire.request({ _tag: "Pong", id: 1 })],
  [
    "a malformed request",
    (wire) => wire.frame(new Uint8Array(packr.pack({ _tag: "WriteEntries", id: 1, publicKey: "A", entries: "none" })))
  ]
]

const limits = { maxInboundBytes: 20_000, maxBatchEntries: 8 }

describe("what came in", () => {
  it.effect.each(kinds)("is forgotten once it was answered: %s", ([, send, options]) =>
    Effect.gen(function* () {
      const scene = yield* makeScene({ ...options, limits: { ...limits, ...options?.limits } })
      const wire = scene.connect()
      yield* wire.nth("Hello")
      for (let round = 0; round < 200; round++) {
        send(wire)
        // Some turns of the event loop, in one of which a write is committed, and a place for it in the rate.
        yield* Effect.repeat(Effect.yieldNow, { times: 3 })
        yield* TestClock.adjust("1 second")
      }
      expect(wire.closes).toEqual([])
    })
  )

  it.effect("counts until then, in parts or not", () =>
    Effect.gen(function* () {
      const gate = Deferred.makeUnsafe<void>()
      const scene = yield* makeScene({
        limits,
        wrapStore: (store) => ({ append: (...args) => Effect.andThen(Deferred.await(gate), store.append(...args)) })
      })
      for (const partBytes of [10_000, 100]) {
        const wire = scene.connect()
        yield* wire.nth("Hello")
        writeInParts(wire, partBytes)
        writeInParts(wire, partBytes)
        expect(wire.closes).toEqual([])
        for (let more = 0; more < 20; more++) writeInParts(wire, partBytes)
        expect(wire.closes).toMatchObject([{ code: 1008 }])
      }
    })
  )
})
