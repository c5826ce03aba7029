import { describe, expect, it } from "vitest"
import { Inbound } from "../../src/connection/inbound.ts"
import { defaultLimits } from "../../src/wire/limits.ts"

const limits = {
  ...defaultLimits,
  maxInboundBytes: 1_000,
  maxFrameBytes: 100,
  maxInboundFrames: 20,
  maxRequestsPerSecond: 10
}
const frame = (bytes: number) => new Uint8Array(bytes)

describe("what came in", () => {
  it("is handed out in its order", () => {
    const inbound = new Inbound(limits, 0)
    const frames = [frame(1), frame(2), frame(3)]
    for (const each of frames) expect(inbound.offer(each, 1_000)).toBe(true)
    expect([inbound.take(), inbound.take(), inbound.take(), inbound.take()]).toEqual([...frames, undefined])
  })

  it("is bounded in bytes until it was answered, taken or not", () => {
    const inbound = new Inbound(limits, 0)
    expect(inbound.offer(frame(600), 1_000)).toBe(true)
    inbound.take()
    expect(inbound.offer(frame(401), 1_000)).toBe(false)
    expect(inbound.offer(frame(400), 1_000)).toBe(true)
    inbound.release(600)
    expect(inbound.offer(frame(600), 1_000)).toBe(true)
    expect(inbound.offer(frame(1), 1_000)).toBe(false)
  })

  it("counts a message that was put together from chunks", () => {
    const inbound = new Inbound(limits, 0)
    inbound.hold(900)
    expect(inbound.offer(frame(101), 1_000)).toBe(false)
    inbound.release(900)
    expect(inbound.offer(frame(101), 1_000)).toBe(true)
  })

  it("may be less from a peer that proved nothing", () => {
    const inbound = new Inbound(limits, 0)
    expect(inbound.offer(frame(60), 100)).toBe(true)
    expect(inbound.offer(frame(41), 100)).toBe(false)
    expect(inbound.offer(frame(40), 100)).toBe(true)
  })

  it("is bounded in frames that wait", () => {
    const inbound = new Inbound(limits, 0)
    for (let count = 0; count < 20; count++) expect(inbound.offer(frame(1), 1_000)).toBe(true)
    expect(inbound.offer(frame(1), 1_000)).toBe(false)
    inbound.take()
    expect(inbound.offer(frame(1), 1_000)).toBe(true)
  })
})

describe("the rate of requests", () => {
  const admitted = (inbound: Inbound, now: number): number => {
    let count = 0
    while (count < 1_000 && inbound.admit(now)) count++
    return count
  }

  it("allows two seconds' worth at once, then what time refills", () => {
    const inbound = new Inbound(limits, 0)
    expect(admitted(inbound, 0)).toBe(20)
    expect(admitted(inbound, 99)).toBe(0)
    expect(admitted(inbound, 100)).toBe(1)
    expect(admitted(inbound, 1_100)).toBe(10)
    expect(admitted(inbound, 1e15)).toBe(20)
  })

  it("survives a clock that is set back", () => {
    const inbound = new Inbound(limits, 10_000)
    expect(admitted(inbound, 0)).toBe(20)
    expect(admitted(inbound, 1_000)).toBe(10)
  })
})
