import { expect, it } from "vitest"
import { makeClock } from "../src/load/clock.ts"

/** `done` is asked at the beginning, and at the end of each window. */
const windowsOf = (asked: number) => asked - 1

it("counts as soon as the work is steady, and tells when that begins and ends", async () => {
  const told: Array<string> = []
  const clock = makeClock((what) => told.push(`${what}, running: ${clock.isRunning()}`))
  let asked = 0
  const counted = await clock.run(0.2, () => {
    asked++
    expect(clock.isRunning()).toBe(false)
    return 1_000 + performance.now()
  })
  expect(told).toEqual(["begin, running: true", "end, running: false"])
  expect(windowsOf(asked)).toBe(3)
  expect(counted.warmUp).toBeGreaterThanOrEqual(0.29)
  expect(counted.seconds).toBeGreaterThanOrEqual(0.19)
})

it("waits longer for work that gets faster, but not for ever", async () => {
  const clock = makeClock(() => {})
  let asked = 0
  await clock.run(0.2, () => 100 ** asked++)
  expect(windowsOf(asked)).toBe(4)
})

it("waits for work that is steady, but new", async () => {
  const clock = makeClock(() => {})
  const from = performance.now()
  let asked = 0
  await clock.run(0.2, () => {
    asked++
    return (performance.now() - from) / 1_000
  })
  expect(windowsOf(asked)).toBe(4)
})
