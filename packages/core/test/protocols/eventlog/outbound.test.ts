import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import type { Transport } from "../../../src/connection/Transport.ts"
import { Outbound } from "../../../src/protocols/eventlog/outbound.ts"
import { decodeResponseUnencrypted } from "../../../src/wire/codec.ts"
import { defaultLimits } from "../../../src/wire/limits.ts"
import type { ProtocolResponseUnencrypted } from "../../../src/wire/messages.ts"

const limits = { ...defaultLimits, outboundHighWaterBytes: 1_000, maxOutboundBytes: 10_000 }

/** The way out to a transport that writes down what it is given. */
const makeScene = (bufferedBytes?: () => number) => {
  const sent: Array<ProtocolResponseUnencrypted> = []
  const events: Array<string> = []
  const transport: Transport = {
    send: (frame) => void sent.push(Result.getOrThrow(decodeResponseUnencrypted(frame))),
    close: () => {},
    ...(bufferedBytes === undefined ? {} : { bufferedBytes })
  }
  const outbound = new Outbound(transport, limits, {
    onOverflow: () => events.push("overflow"),
    onBroken: () => events.push("broken")
  })
  return {
    outbound,
    events,
    sent,
    /** Sends a message of about so many bytes. */
    fill: (bytes: number) => outbound.send({ _tag: "Authenticated", publicKey: "A", challenge: new Uint8Array(bytes) }),
    pings: () => sent.flatMap((message) => (message._tag === "Ping" ? [message.id] : []))
  }
}

describe("a way out that can't tell what it holds", () => {
  it("ends each window of bytes with a Ping, and has room again after its Pong", () => {
    const { fill, outbound, pings } = makeScene()
    fill(900)
    expect([outbound.ready(), pings()]).toEqual([true, []])
    fill(100)
    expect([outbound.ready(), pings().length]).toEqual([false, 1])
    fill(500)
    expect(pings()).toHaveLength(1)
    outbound.pong(pings()[0]!)
    expect(outbound.ready()).toBe(true)
    expect(outbound.queuedBytes()).toBeGreaterThan(500)
    expect(outbound.queuedBytes()).toBeLessThan(700)
  })

  it("counts as unread what it sent after the Ping, and begins the next window with it", () => {
    const { events, fill, outbound, pings } = makeScene()
    for (let round = 0; round < 6; round++) {
      fill(1_000)
      fill(1_500)
      outbound.pong(pings()[round]!)
      expect(outbound.ready()).toBe(false)
    }
    expect(events).toEqual([])
    // Whoever reads only the Pings is given up all the same.
    for (let round = 0; round < 10; round++) fill(1_000)
    expect(events).toContain("overflow")
  })

  it("can't be told by guessing that the peer has read", () => {
    const { fill, outbound, pings } = makeScene()
    for (let id = 0; id < 10; id++) outbound.ping()
    fill(1_000)
    for (let id = 0; id < 1_000; id++) outbound.pong(id)
    expect(outbound.ready()).toBe(false)
    outbound.pong(pings()[10]!)
    expect(outbound.ready()).toBe(true)
  })

  it.effect("lets those who wait go on when the window was read", () =>
    Effect.gen(function* () {
      const { fill, outbound, pings } = makeScene()
      yield* outbound.drained
      fill(1_000)
      const waiting = yield* Effect.forkChild(outbound.drained, { startImmediately: true })
      expect(waiting.pollUnsafe()).toBeUndefined()
      outbound.pong(pings()[0]!)
      yield* Fiber.join(waiting)
    })
  )
})

describe("a way out that can tell what it holds", () => {
  it("has room below the high-water mark, and sends no Ping", () => {
    let buffered = 999
    const { fill, outbound, pings } = makeScene(() => buffered)
    fill(5_000)
    expect(outbound.ready()).toBe(true)
    buffered = 1_000
    expect(outbound.ready()).toBe(false)
    expect(pings()).toEqual([])
  })

  it("gives a peer up that doesn't read", () => {
    let buffered = 10_000
    const { events, fill } = makeScene(() => buffered)
    fill(1)
    expect(events).toEqual([])
    buffered = 10_001
    fill(1)
    expect(events).toEqual(["overflow"])
  })

  it.effect("waits until half of the mark is left", () =>
    Effect.gen(function* () {
      let buffered = 1_000
      const { outbound } = makeScene(() => buffered)
      const waiting = yield* Effect.forkChild(outbound.drained, { startImmediately: true })
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
    const { outbound } = makeScene(() => buffered)
    expect(outbound.isFlushed).toBe(false)
    buffered = 0
    expect(outbound.isFlushed).toBe(true)
  })
})

it("sends nothing after its end", () => {
  const { fill, outbound, sent } = makeScene()
  outbound.end()
  fill(1)
  outbound.sendEncoded(new Uint8Array(1))
  outbound.ping()
  expect(sent).toEqual([])
})

it("tells of a transport that throws, once, and not by throwing", () => {
  let broken = 0
  const outbound = new Outbound(
    {
      send: () => {
        throw new Error("a bug")
      },
      close: () => {}
    },
    limits,
    { onOverflow: () => {}, onBroken: () => broken++ }
  )
  outbound.ping()
  outbound.ping()
  expect(broken).toBe(1)
})
