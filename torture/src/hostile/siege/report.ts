import type { HonestReport } from "../honest/settings.ts"
import { closesOf, head, line, mebibytes } from "../report.ts"
import type { SiegeOutcome } from "./runSiege.ts"

/** How many times its baseline the 99th percentile of acks may be. */
const allowedGrowth = 3

const yesNo = (is: boolean): string => (is ? "yes" : "NO")

const phaseRow = (name: string, report: HonestReport): string =>
  line([
    name,
    report.acks.toString(),
    ...[report.p50, report.p99, report.p999, report.max].map((millis) => millis.toFixed(1)),
    closesOf(report)
  ])

const sumOf = (reports: SiegeOutcome["hostilePeers"], member: "open" | "attempts"): number =>
  reports.reduce((sum, report) => sum + report[member], 0)

const hostileCloses = (reports: SiegeOutcome["hostilePeers"]): string => {
  const sums = new Map<string, number>()
  for (const { closes } of reports)
    for (const [code, count] of Object.entries(closes)) sums.set(code, (sums.get(code) ?? 0) + count)
  return Array.from(sums, ([code, count]) => `${count}x${code}`).join(", ") || "none"
}

const serverLine = ({ died, measured, stopMillis }: SiegeOutcome): string =>
  measured === undefined
    ? `server: died, ${died}`
    : `server: rss ${mebibytes(measured.peak.rss)} MiB, heap ${mebibytes(measured.peak.heap)} MiB and external ${mebibytes(measured.peak.external)} MiB at most; event loop held up ${Math.round(measured.loopMillis)} ms at most; ${measured.sockets} sockets at the end; stopped in ${Math.round(stopMillis)} ms`

/** Whether the siege was withstood: what is wanted of it, each with its figure. */
export const verdictOf = ({ baseline, died, losses, siege }: SiegeOutcome) => ({
  "the process lives": died === undefined,
  "no acked entry is lost or repeated": losses !== undefined && losses.lost + losses.repeated + losses.unacked === 0,
  [`p99 grew less than ${allowedGrowth}-fold (${(siege.p99 / baseline.p99).toFixed(1)})`]:
    siege.acks > 0 && siege.p99 < allowedGrowth * baseline.p99
})

/** What became of a siege, as lines. */
export const describeSiege = (outcome: SiegeOutcome): ReadonlyArray<string> => {
  const { adapter, hostile, hostilePeers, honest, losses } = outcome
  return [
    `${hostile} hostile connections beside ${honest} honest devices, on ${adapter}`,
    head(["phase", "acks", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "closes of honest devices"]),
    phaseRow("baseline", outcome.baseline),
    phaseRow("siege", outcome.siege),
    serverLine(outcome),
    `hostile: ${sumOf(hostilePeers, "attempts")} connections tried, ${sumOf(hostilePeers, "open")} open at the end, closed ${hostileCloses(hostilePeers)}`,
    losses === undefined
      ? "entries: nobody is left to ask"
      : `entries: ${losses.acked} acked, ${losses.lost} lost, ${losses.repeated} repeated, ${losses.unacked} never acked`,
    ...Object.entries(verdictOf(outcome)).map(([wanted, is]) => `${wanted}: ${yesNo(is)}`)
  ]
}
