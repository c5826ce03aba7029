import { expect, it, onTestFinished, vi } from "vitest"
import { Patience } from "../src/load/Patience.ts"

it("is lost when nothing happens for as long as was said last, and never after its end", () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  let lost = 0
  const patience = new Patience(100, () => lost++)
  vi.advanceTimersByTime(99)
  patience.renew(200)
  vi.advanceTimersByTime(199)
  expect(lost).toBe(0)
  vi.advanceTimersByTime(1)
  expect(lost).toBe(1)
  patience.renew(100)
  patience.end()
  vi.advanceTimersByTime(1_000)
  expect(lost).toBe(1)
})
