/**
 * Puts plausible bugs back, one at a time, and tells how long it took until the simulation or the torture caught each.
 * Arguments are the names of those to try; without any, all of them.
 */
import { spawnSync } from "node:child_process"
import { resolve } from "node:path"
import { type Mutation, mutations } from "./mutations.ts"

const folder = resolve(import.meta.dirname, "..")
const built = resolve(folder, "../node_modules/.cache/torture-mutated")

/** Attempts of torture, each with other faults. */
const attempts = 3

const build = (mutation: Mutation): void => {
  const { status, stdout, stderr } = spawnSync("npx", ["--no-install", "tsup"], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, EVENTLOG_MUTATION: mutation.name }
  })
  if (status !== 0) throw new Error(`${mutation.name}: ${stdout}${stderr}`)
}

const argsOf = ({ by }: Mutation, attempt: number): ReadonlyArray<string> =>
  by === "simulation"
    ? ["simulate.js", "--runs", "1000", "--no-shrink"]
    : ["main.js", "--storage", by, "--seconds", "30", "--patience", "20", "--seed", `${attempt}`]

/** Seconds until the mutation was caught; `undefined` when it was not. */
const secondsUntilCaught = (mutation: Mutation): number | undefined => {
  const started = performance.now()
  for (let attempt = 1; attempt <= (mutation.by === "simulation" ? 1 : attempts); attempt++) {
    const [script = "", ...args] = argsOf(mutation, attempt)
    const { status, stdout } = spawnSync(process.execPath, [resolve(built, script), ...args], { encoding: "utf8" })
    if (status === 1) {
      const [violation] = /VIOLATION of .*/.exec(stdout) ?? []
      console.log(`  ${violation?.slice(0, 160)}`)
      return Math.round((performance.now() - started) / 1_000)
    }
  }
  return undefined
}

const wanted = process.argv.slice(2)
let missed = 0
for (const mutation of mutations.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  build(mutation)
  const seconds = secondsUntilCaught(mutation)
  if (seconds === undefined) missed++
  console.log(`${mutation.name}: ${seconds === undefined ? "NOT CAUGHT" : `caught in ${seconds} s`} by ${mutation.by}`)
}
process.exit(missed === 0 ? 0 : 1)
