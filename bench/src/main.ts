import { writeFileSync } from "node:fs"
import { type Benchmark, leaveOut, type Result, run } from "./benchmark.ts"
import { type Flags, readFlags, usage } from "./flags.ts"
import { describeMachine } from "./machine.ts"
import { complainOfUnknown, find, select } from "./names.ts"
import { plotResults } from "./plot.ts"
import { formatReport } from "./report.ts"
import { scenarios } from "./scenarios/scenarios.ts"

const flagsOrExit = (): Flags => {
  try {
    const flags = readFlags(process.argv.slice(2))
    if (flags !== "help") return flags
    console.log(usage)
    return process.exit(0)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return process.exit(2)
  }
}

const allOf = ({ beside, profile, quick, rounds, seconds, server }: Flags): ReadonlyArray<Benchmark> => {
  const settings = { quick, seconds, ours: { script: server, profileTo: profile } }
  return scenarios
    .flatMap((scenario) => scenario(settings))
    .map((benchmark) => ({
      ...benchmark,
      rounds: rounds ?? benchmark.rounds,
      contenders: benchmark.contenders.filter(({ role }) => role === "ours" || beside.includes(role))
    }))
}

const flags = flagsOrExit()
const all = allOf(flags)
const complaint = complainOfUnknown(all, flags.only)
if (complaint !== undefined) {
  console.error(flags.quick ? `${complaint}\nWithout --quick there is more.` : complaint)
  process.exit(2)
}
if (flags.list) {
  for (const { name } of find(all, flags.only)) console.log(name)
  process.exit(0)
}

/** Milliseconds after which a quick run begins nothing more: what it has begun ends within two minutes. */
const quickMillis = 105_000

const startedAt = performance.now()
const results: Array<Result> = []
for (const benchmark of select(all, flags.only)) {
  const isLate = flags.quick && performance.now() - startedAt > quickMillis
  // Progress goes to stderr: stdout is the report's.
  const measured = isLate ? leaveOut(benchmark, "no time left") : run(benchmark, (line) => console.error(line))
  results.push(await measured)
}
const machine = describeMachine()
if (flags.plot !== undefined) writeFileSync(flags.plot, plotResults(machine, results))
console.log(flags.json ? JSON.stringify({ machine, results }) : formatReport(machine, results))
// What failed was said; a run that measured nothing of ours is a failure.
process.exit(results.every(({ ours }) => ours === null) ? 1 : 0)
