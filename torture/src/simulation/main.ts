import { parseArgs } from "node:util"
import fc from "fast-check"
import { judge } from "../oracle/judge.ts"
import { describe } from "../report.ts"
import { scenarios } from "./scenario.ts"
import { simulate } from "./simulate.ts"

/** Plays random scenarios until one breaks a promise, and then tells the smallest one like it. */

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "1000" },
    seed: { type: "string" },
    /** Leaves a scenario that broke a promise as it is. */
    "no-shrink": { type: "boolean", default: false }
  }
})

const started = performance.now()
const result = await fc.check(
  fc.asyncProperty(scenarios, async (scenario) => judge(await simulate(scenario)).length === 0),
  {
    numRuns: Number(values.runs),
    endOnFailure: values["no-shrink"],
    ...(values.seed === undefined ? {} : { seed: Number(values.seed) })
  }
)
const seconds = Math.round((performance.now() - started) / 1_000)

const [scenario] = result.counterexample ?? []
if (scenario !== undefined) {
  const evidence = await simulate(scenario)
  const [violation] = judge(evidence)
  if (violation !== undefined) console.log(describe(evidence, violation).join("\n"))
  console.log(JSON.stringify(scenario, null, 1))
}
console.log(`seed ${result.seed}: ${result.numRuns} scenarios in ${seconds} s, ${result.failed ? 1 : 0} violations`)
process.exit(result.failed ? 1 : 0)
