import type { Result, Role } from "./benchmark.ts"
import { short } from "./short.ts"
import { latencyNames } from "./statistics.ts"

const withSpread = (result: Result, role: Role): string => {
  const value = result[role]
  const spread = result.spread[role] ?? 0
  return value === null ? "-" : `${short(value)}${spread === 0 ? "" : ` ±${Math.round(spread * 50)} %`}`
}

const ratio = (value: number | null): string => (value === null ? "-" : `${short(value)}x`)

const header = [
  ...["what", "unit", "ours", "effect's own", "bare ws", "limit"],
  ...["to effect's", "to bare ws", "to the limit"]
]

const rowOf = (result: Result): ReadonlyArray<string> => [
  result.name,
  `${result.unit}${result.better === "less" ? " (less is better)" : ""}`,
  withSpread(result, "ours"),
  withSpread(result, "peer"),
  withSpread(result, "bare"),
  withSpread(result, "limit"),
  ratio(result.ratioToPeer),
  ratio(result.ratioToBare),
  ratio(result.ratioToLimit)
]

/** A Markdown table, its columns aligned. */
const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: ReadonlyArray<string>) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join("\n")
}

const detailsOf = (result: Result): ReadonlyArray<string> =>
  Object.entries(result.details).flatMap(([role, details]) => {
    const others = Object.entries(details).filter(([name]) => !latencyNames.includes(name))
    const figures = others.map(([name, value]) => `${name} ${short(value)}`)
    return figures.length === 0 ? [] : `- ${result.name}, ${result.labels[role as Role]}: ${figures.join(", ")}`
  })

/** How long whatever is waited for took: an Ack, or a delivery. */
const latencyRows = (results: ReadonlyArray<Result>): ReadonlyArray<ReadonlyArray<string>> =>
  results.flatMap((result) =>
    Object.entries(result.details).flatMap(([role, details]) => {
      const figures = latencyNames.map((name) => details[name])
      if (figures.every((figure) => figure === undefined)) return []
      return [[result.name, result.labels[role as Role]!, ...figures.map((figure) => short(figure ?? null))]]
    })
  )

const latencies = (results: ReadonlyArray<Result>): ReadonlyArray<string> => {
  const rows = latencyRows(results)
  return rows.length === 0 ? [] : [table([["what", "whose", ...latencyNames], ...rows]), ""]
}

/** The results for people: a table of medians and ratios, one of latencies, then what else was measured, then what is missing. */
export const formatReport = (machine: string, results: ReadonlyArray<Result>): string => {
  const missing = results.flatMap(({ name, skipped }) => skipped.map((reason) => `- ${name}: ${reason}`))
  return [
    machine,
    "",
    table([header, ...results.map(rowOf)]),
    "",
    ...latencies(results),
    ...results.flatMap(detailsOf),
    ...(missing.length === 0 ? [] : ["", "Skipped:", ...missing])
  ].join("\n")
}
