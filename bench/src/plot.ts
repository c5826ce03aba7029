import type { Result, Role } from "./benchmark.ts"
import { type Chart, drawCharts, type Mark } from "./chart.ts"
import { short } from "./short.ts"
import { latencyNames } from "./statistics.ts"

const colors: Readonly<Record<Role, string>> = {
  ours: "#1f6feb",
  peer: "#d97706",
  bare: "#7c3aed",
  limit: "#6b7280"
}

/** How many times as good ours is as another: above 1 it is better, whether more or less is. */
const timesAsGood = ({ better }: Result, ratio: number): number => (better === "more" ? ratio : 1 / ratio)

const ratiosOf = (results: ReadonlyArray<Result>): Chart => ({
  title: "Ours beside the others: times as good (right of 1 ours is better)",
  unit: "x",
  baseline: 1,
  groups: results.flatMap((result) => {
    const bars = (
      [
        ["peer", result.ratioToPeer],
        ["bare", result.ratioToBare],
        ["limit", result.ratioToLimit]
      ] as const
    ).flatMap(([role, ratio]) =>
      ratio === null
        ? []
        : [{ label: result.labels[role]!, color: colors[role], value: timesAsGood(result, ratio), marks: [] }]
    )
    return bars.length === 0 ? [] : [{ name: result.name, bars }]
  })
})

const marksOf = (details: Readonly<Record<string, number>>): ReadonlyArray<Mark> =>
  latencyNames.slice(1).flatMap((name) => {
    const value = details[name]
    return value === undefined ? [] : [{ value, label: `${name.replace(" ms", "")} ${short(value)}` }]
  })

const latenciesOf = (results: ReadonlyArray<Result>): Chart => ({
  title: "Latency in ms: the bar ends at p50, ticks are p99 and p99.9 (shorter is better)",
  unit: " ms",
  baseline: undefined,
  groups: results.flatMap((result) => {
    const bars = Object.entries(result.details).flatMap(([role, details]) => {
      const value = details[latencyNames[0]!]
      const style = { label: result.labels[role as Role]!, color: colors[role as Role] }
      return value === undefined ? [] : [{ ...style, value, marks: marksOf(details) }]
    })
    return bars.length === 0 ? [] : [{ name: result.name, bars }]
  })
})

/** Draws the ratios of results and their latencies, as an SVG. */
export const plotResults = (machine: string, results: ReadonlyArray<Result>): string =>
  drawCharts(machine, [ratiosOf(results), latenciesOf(results)])
