import { describe, expect, it } from "vitest"
import { Histogram, latencyNames, median, spread } from "../src/statistics.ts"

describe("median", () => {
  it("is the middle, whatever the order", () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([10, 9, 1, 5])).toBe(7)
  })

  it("doesn't compare numbers as texts", () => {
    expect(median([100, 9, 20])).toBe(20)
  })

  it("of nothing is no number", () => {
    expect(median([])).toBeNaN()
  })
})

describe("spread", () => {
  it("is greatest minus least, as a part of the median", () => {
    expect(spread([90, 100, 110])).toBeCloseTo(0.2)
  })

  it("of one is none", () => {
    expect(spread([90])).toBe(0)
  })
})

describe("Histogram", () => {
  const histogramOf = (micros: Iterable<number>) => {
    const histogram = new Histogram()
    for (const value of micros) histogram.record(value)
    return histogram
  }

  it("tells percentiles in milliseconds, two parts in a hundred off at most", () => {
    const histogram = histogramOf(Array.from({ length: 10_000 }, (_, index) => (index + 1) * 10))
    for (const share of [0.5, 0.99, 0.999, 1]) {
      const exact = share * 100
      expect(histogram.percentile(share)).toBeGreaterThanOrEqual(exact * 0.999)
      expect(histogram.percentile(share)).toBeLessThanOrEqual(exact * 1.021)
    }
  })

  it("shows one slow record in a thousand in the last percentile only", () => {
    const summary = histogramOf([...Array.from({ length: 998 }, () => 1_000), 500_000, 500_000]).summary()
    expect(Object.keys(summary)).toEqual(latencyNames)
    const [p50, p99, p999] = latencyNames.map((name) => summary[name]!)
    expect(p50).toBeLessThan(1.03)
    expect(p99).toBeLessThan(1.03)
    expect(p999).toBeGreaterThanOrEqual(500)
  })

  it("of nothing knows nothing", () => {
    expect(new Histogram().percentile(0.5)).toBeNaN()
  })
})
