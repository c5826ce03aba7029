import type { HonestReport } from "./honest/settings.ts"
import type { Outcome } from "./runAttack.ts"
import type { Memory } from "./server/settings.ts"

const MiB = 1024 * 1024
/** Bytes, in whole MiB. */
export const mebibytes = (bytes: number): string => Math.round(bytes / MiB).toString()
const ofHeap = ({ external, heap }: Memory): string => mebibytes(heap + external)

/** The columns of a table: MiB, milliseconds, counts. */
export const columns = [
  "attack",
  "adapter",
  "heap+external MiB before / peak / held",
  "rss MiB before / peak / held",
  "loop ms",
  "sockets",
  "honest ack ms p50 / p99 / max",
  "honest closes",
  "stop ms",
  "findings"
] as const

/** How often connections of honest devices ended, by code. */
export const closesOf = ({ closes, offline, refusals }: HonestReport): string => {
  const codes = Object.entries(closes).map(([code, count]) => `${count}x${code}`)
  const others = [...(refusals > 0 ? [`${refusals} refused`] : []), ...(offline > 0 ? [`${offline} offline`] : [])]
  return [...codes, ...others].join(", ") || "none"
}

const acksOf = ({ max, p50, p99 }: HonestReport): string =>
  [p50, p99, max].map((millis) => millis.toFixed(1)).join(" / ")

/** The row of an attack. */
export const rowOf = ({ adapter, attack, findings, honest, measured, stopMillis }: Outcome): ReadonlyArray<string> => [
  attack,
  adapter,
  measured === undefined ? "-" : [measured.before, measured.peak, measured.held].map(ofHeap).join(" / "),
  measured === undefined
    ? "-"
    : [measured.before, measured.peak, measured.held].map(({ rss }) => mebibytes(rss)).join(" / "),
  measured === undefined ? "-" : Math.round(measured.loopMillis).toString(),
  measured === undefined ? "-" : measured.sockets.toString(),
  honest === undefined ? "-" : acksOf(honest),
  honest === undefined ? "-" : closesOf(honest),
  Math.round(stopMillis).toString(),
  Object.entries(findings)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ")
]

/** A line of a table in Markdown. */
export const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

/** The head of a table in Markdown. */
export const head = (names: ReadonlyArray<string>): string => `${line(names)}\n${line(names.map(() => "---"))}`
