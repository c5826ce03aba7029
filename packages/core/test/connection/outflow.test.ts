import { describe, it } from "@effect/vitest"
import { todosAdded } from "@eventlog-server/testkit/schema"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { Outflow } from "../../src/connection/Outflow.ts"
import type { Transport } from "../../src/connection/Transport.ts"
import { frameCost } from "../../src/wire/limits.ts"
import { makeScene as makeServer } from "./harness.ts"

const limits = { outboundHighWaterBytes: 1_000 }

/** The way out to a transport that writes down what it is given. */
const makeScene = (bufferedBytes?: () => number) => {
  const sent: Array<Uint8Array> = []
  const events: Array<string> = []
  const windows: Array<number> = []
  const transport: Transport = {
    send: (frame) => void sent.push(frame),
    close: () => {},
    ...(bufferedBytes === undefined ? {} : { bufferedBytes })
  }
  const outflow: Outflow = new Outflow(transport, limits, {
    onChange: () => events.push("change"),
    onBroken: () => events.push("broken"),
    onWindow: (end) => windows.push(end)
  })
  /** Sends a message of so many bytes. */
  const fill = (bytes: number) => outflow.send([new Uint8Array(bytes)])
  return { outflow, events, sent, windows, fill }
}

describe("a way out that can't tell what it holds", () => {
  it("asks once for each window of bytes, and has room again when that was read", () => {
    const { fill, outflow, windows } = makeScene()
    fill(900)
    expect([outflow.ready(), windows]).toEqual([true, []])
    fill(100)
    expect([outflow.ready(), windows.length]).toEqual([false, 1])
    fill(500)
    expect(windows).toHaveLength(1)
    outflow.readUpTo(windows[0]!)
    expect(outflow.ready()).toBe(true)
    expect(outflow.queuedBytes()).toBeGreaterThanOrEqual(500)
    expect(outflow.queuedBytes()).toBeLessThan(600)
  })

  it("counts as unread what it sent after a window, and begins the next one with it", () => {
    const { fill, outflow, windows } = makeScene()
    for (let round = 0; round < 6; round++) {
      fill(1_000)
      fill(1_500)
      outflow.readUpTo(windows[round]!)
      expect(outflow.ready()).toBe(false)
    }
    expect(outflow.heldBytes()).toBeLessThan(6 * 2_500)
    for (let round = 0; round < 10; round++) fill(1_000)
    expect(outflow.heldBytes()).toBeGreaterThan(10_000)
  })

  it.effect("lets those who wait go on when the window was read", () =>
    Effect.gen(function* () {
      const { fill, outflow, windows } = makeScene()
      yield* outflow.drained
      fill(1_000)
      const waiting = yield* Effect.forkChild(outflow.drained, { startImmediately: true })
      expect(waiting.pollUnsafe()).toBeUndefined()
      outflow.readUpTo(windows[0]!)
      yield* Fiber.join(waiting)
    })
  )

  it.effect("can't be told by guessing that the peer has read", () =>
    Effect.gen(function* () {
      const scene = yield* makeServer({ limits: { outboundHighWaterBytes: 1_000, maxRequestsPerSecond: 10_000 } })
      const wire = scene.connect()
      yield* wire.answer(wire.write(todosAdded(200)))
      yield* wire.answer(wire.subscribe())
      const ping = yield* wire.nth("Ping")
      const { length } = wire.sequences
      for (let id = 0; id < 1_000; id++) wire.request({ _tag: "Pong", id })
      yield* wire.settled
      wire.write(todosAdded(200))
      yield* wire.settled
      expect(wire.sequences).toHaveLength(length)
      wire.request({ _tag: "Pong", id: ping.id })
      yield* wire.until(() => wire.sequences.length > length || undefined)
    })
  )
})

describe("a way out that can tell what it holds", () => {
  it("has room below the high-water mark, and asks for nothing", () => {
    let buffered = 999
    const { fill, outflow, windows } = makeScene(() => buffered)
    fill(5_000)
    expect(outflow.ready()).toBe(true)
    buffered = 1_000
    expect(outflow.ready()).toBe(false)
    expect(windows).toEqual([])
  })

  it("holds what the frames cost, too, as long as they are there", () => {
    let buffered = 0
    const { fill, outflow } = makeScene(() => buffered)
    for (let count = 0; count < 100; count++) fill(10)
    buffered = 100 * 12
    expect(outflow.heldBytes()).toBe(100 * (12 + frameCost))
    buffered = 40 * 12
    expect(outflow.heldBytes()).toBe(40 * (12 + frameCost))
    fill(10)
    buffered = 41 * 12
    expect(outflow.heldBytes()).toBe(41 * (12 + frameCost))
    buffered = 0
    expect(outflow.heldBytes()).toBe(0)
  })

  it.effect("waits until half of the mark is left", () =>
    Effect.gen(function* () {
      let buffered = 1_000
      const { outflow } = makeScene(() => buffered)
      const waiting = yield* Effect.forkChild(outflow.drained, { startImmediately: true })
      buffered = 501
      yield* TestClock.adjust("1 second")
      expect(waiting.pollUnsafe()).toBeUndefined()
      buffered = 500
      yield* TestClock.adjust("64 millis")
      yield* Fiber.join(waiting)
    })
  )

  it("is flushed when it holds nothing", () => {
    let buffered = 1
    const { outflow } = makeScene(() => buffered)
    expect(outflow.isFlushed).toBe(false)
    buffered = 0
    expect(outflow.isFlushed).toBe(true)
  })

  it.effect("gives a peer up that doesn't read, at once", () =>
    Effect.gen(function* () {
      const scene = yield* makeServer({ limits: { maxOutboundBytes: 10_000 } })
      let buffered = 10_000 - 2 * frameCost
      const wire = scene.connect({ bufferedBytes: () => buffered })
      yield* wire.settled
      expect(wire.closes).toEqual([])
      buffered = 10_001
      wire.request({ _tag: "Ping", id: 1 })
      yield* wire.until(() => wire.closes[0])
      expect(wire.closes).toMatchObject([{ code: 1008 }])
    })
  )
})

it("sends nothing after its end, and holds nothing", () => {
  const { fill, outflow, sent } = makeScene(() => 1_000)
  outflow.end()
  fill(1)
  expect([sent, outflow.heldBytes()]).toEqual([[], 0])
})

it("tells of a transport that throws, once, and not by throwing", () => {
  let broken = 0
  const outflow = new Outflow(
    {
      send: () => {
        throw new Error("a bug")
      },
      close: () => {}
    },
    limits,
    { onChange: () => {}, onBroken: () => broken++, onWindow: () => {} }
  )
  outflow.send([new Uint8Array(1)])
  outflow.send([new Uint8Array(1)])
  expect(broken).toBe(1)
})
