import type { Result, Role } from "./benchmark.ts"

/** A number with as many digits as anybody can compare. */
const short = (value: number | null): string => {
  if (value === null || Number.isNaN(value)) return "-"
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

const withSpread = (result: Result, role: Role): string => {
  const value = result[role]
  const spread = result.spread[role] ?? 0
  return value === null ? "-" : `${short(value)}${spread === 0 ? "" : ` ±${Math.round(spread * 50)} %`}`
}

const ratio = (value: number | null): string => (value === null ? "-" : `${short(value)}x`)

const header = ["what", "unit", "ours", "effect's own", "limit", "to effect's", "to the limit"]

const rowOf = (result: Result): ReadonlyArray<string> => [
  result.name,
  `${result.unit}${result.better === "less" ? " (less is better)" : ""}`,
  withSpread(result, "ours"),
  withSpread(result, "peer"),
  withSpread(result, "limit"),
  ratio(result.ratioToPeer),
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
    const figures = Object.entries(details).map(([name, value]) => `${name} ${short(value)}`)
    return figures.length === 0 ? [] : `- ${result.name}, ${result.labels[role as Role]}: ${figures.join(", ")}`
  })

/** The results for people: a table of medians and ratios, then what else was measured, then what is missing. */
export const formatReport = (machine: string, results: ReadonlyArray<Result>): string => {
  const missing = results.flatMap(({ name, skipped }) => skipped.map((reason) => `- ${name}: ${reason}`))
  return [
    machine,
    "",
    table([header, ...results.map(rowOf)]),
    "",
    ...results.flatMap(detailsOf),
    ...(missing.length === 0 ? [] : ["", "Skipped:", ...missing])
  ].join("\n")
}
