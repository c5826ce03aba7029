import { expect, it } from "vitest"
import type { Result } from "../src/benchmark.ts"
import { plotResults } from "../src/plot.ts"

const result = (fields: Partial<Result>): Result => ({
  ...{ name: "some/thing", unit: "entries/s", better: "more" },
  ...{ ours: null, peer: null, bare: null, limit: null },
  ...{ ratioToPeer: null, ratioToBare: null, ratioToLimit: null },
  ...{ spread: {}, details: {}, labels: {}, skipped: [] },
  ...fields
})

interface Rect {
  readonly color: string
  readonly from: number
  readonly to: number
}

/** The bars of a plot, in its order; the first rectangle is the paper. */
const barsOf = (svg: string): ReadonlyArray<Rect> =>
  [...svg.matchAll(/<rect x="([\d.]+)".*? width="([\d.]+)".*? fill="(#\w+)"/g)].map(([, x, width, color]) => ({
    color: color!,
    from: Number(x),
    to: Number(x) + Number(width)
  }))

const labels = { ours: "ours", peer: "the peer", limit: "the limit" }

it("draws what is better to the right of the line, and what is worse to its left", () => {
  const [better, worse] = barsOf(plotResults("a machine", [result({ labels, ratioToPeer: 10, ratioToLimit: 0.1 })]))
  expect(better!.from).toBeCloseTo(worse!.to)
  expect(better!.to - better!.from).toBeCloseTo(worse!.to - worse!.from)
})

it("takes twice as much for half as good where less is better", () => {
  const twice = result({ labels, ratioToPeer: 2 })
  const [more, less] = barsOf(plotResults("a machine", [twice, { ...twice, better: "less" }]))
  expect(less!.to).toBeCloseTo(more!.from)
  expect(less!.from).toBeLessThan(less!.to)
})

it("draws latencies as long as their logarithms, with what is in the tail", () => {
  const svg = plotResults("a machine", [
    result({
      labels,
      details: {
        ours: { "p50 ms": 10, "p99 ms": 100, "p99.9 ms": 1_000 },
        peer: { "p50 ms": 100, "p99 ms": 100, "p99.9 ms": 1_000 }
      }
    })
  ])
  const [ours, peer] = barsOf(svg).map(({ from, to }) => to - from)
  expect(peer! / ours!).toBeCloseTo(2)
  expect(svg).toContain("10.0 ms, p99 100, p99.9 1,000")
})

it("has no bar for what is missing, and none for what is no number", () => {
  expect(barsOf(plotResults("a machine", []))).toEqual([])
  const details = { ours: { "p50 ms": Number.NaN, "p99 ms": Number.NaN, "p99.9 ms": Number.NaN } }
  const svg = plotResults("a machine", [result({ labels, details })])
  expect(barsOf(svg)).toEqual([])
  expect(svg).not.toContain("NaN")
})

it("keeps names from being taken for markup", () => {
  const svg = plotResults(`<&">`, [result({ name: "a<b&c", labels: { peer: "</svg>" }, ratioToPeer: 2 })])
  expect(svg).toContain("a&lt;b&amp;c")
  expect(svg).toContain("&lt;/svg&gt;")
  expect(svg.match(/<\/svg>/g)).toHaveLength(1)
})
