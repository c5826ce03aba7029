/**
 * Puts plausible bugs back, one at a time, and tells how long it took until the simulation, the torture or the tests that
 * are named caught each. Arguments are the names of those to try; without any, all of them.
 */
import { spawnSync } from "node:child_process"
import { readFileSync, rmSync } from "node:fs"
import { resolve } from "node:path"
import { type CatchingTests, type Mutation, mutations } from "./mutations.ts"

const folder = resolve(import.meta.dirname, "..")
const root = resolve(folder, "..")
const built = resolve(root, "node_modules/.cache/torture-mutated")
const report = resolve(root, "node_modules/.cache/mutated-tests.json")

/** Attempts of torture, each with other faults. */
const attempts = 3

/** Runs a tool, with the bug in the sources if one is named. */
const run = (cwd: string, args: ReadonlyArray<string>, mutation?: Mutation) =>
  spawnSync("npx", ["--no-install", ...args], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, EVENTLOG_MUTATION: mutation?.name }
  })

const build = (mutation: Mutation): void => {
  const { status, stdout, stderr } = run(folder, ["tsup"], mutation)
  if (status !== 0) throw new Error(`${mutation.name}: ${stdout}${stderr}`)
}

/** What vitest's JSON reporter tells, as far as it matters here. */
interface Report {
  readonly testResults: ReadonlyArray<{
    readonly assertionResults: ReadonlyArray<{ readonly status: string; readonly fullName: string }>
  }>
}

const filesOf = ({ by }: Mutation): ReadonlyArray<string> => (typeof by === "object" ? [by.test].flat() : [])

/** Throws unless the tests pass without a bug: one that fails anyway catches nothing. */
const checkTests = (chosen: ReadonlyArray<Mutation>): void => {
  const files = new Set(chosen.flatMap(filesOf))
  if (files.size === 0) return
  const { status, stdout, stderr } = run(root, ["vitest", "run", ...files])
  if (status !== 0) throw new Error(`The tests fail without a bug\n${stdout}${stderr}`)
}

/** The test that failed, if one did. Throws when nothing could be run, which catches nothing. */
const failedTest = (mutation: Mutation, { pattern }: CatchingTests): string | undefined => {
  rmSync(report, { force: true })
  const reporting = ["--reporter", "json", "--outputFile", report, "--bail", "1"]
  const named = pattern === undefined ? [] : ["-t", pattern]
  const { status, stdout, stderr } = run(
    root,
    ["vitest", "run", ...filesOf(mutation), ...named, ...reporting],
    mutation
  )
  if (status === 0) return undefined
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Report
  const failed = testResults.flatMap((file) => file.assertionResults).find((result) => result.status === "failed")
  if (failed === undefined) throw new Error(`${mutation.name}: no test failed, but vitest did\n${stdout}${stderr}`)
  return failed.fullName
}

const argsOf = (by: "simulation" | "memory" | "sqlite", attempt: number): ReadonlyArray<string> =>
  by === "simulation"
    ? ["simulate.js", "--runs", "1000", "--no-shrink"]
    : ["main.js", "--storage", by, "--seconds", "30", "--patience", "20", "--seed", `${attempt}`]

/** What caught the mutation, in words; `undefined` when nothing did. */
const caught = (mutation: Mutation): string | undefined => {
  const { by } = mutation
  if (typeof by === "object") return failedTest(mutation, by)
  for (let attempt = 1; attempt <= (by === "simulation" ? 1 : attempts); attempt++) {
    const [script = "", ...args] = argsOf(by, attempt)
    const { status, stdout } = spawnSync(process.execPath, [resolve(built, script), ...args], { encoding: "utf8" })
    if (status === 1) return /VIOLATION of .*/.exec(stdout)?.[0] ?? ""
  }
  return undefined
}

const wanted = process.argv.slice(2)
const chosen = mutations.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
checkTests(chosen)
let missed = 0
for (const mutation of chosen) {
  if (typeof mutation.by === "string") build(mutation)
  const started = performance.now()
  const how = caught(mutation)
  const seconds = Math.round((performance.now() - started) / 1_000)
  if (how === undefined) missed++
  else console.log(`  ${how.slice(0, 160)}`)
  const by = typeof mutation.by === "string" ? mutation.by : "tests"
  console.log(`${mutation.name}: ${how === undefined ? "NOT CAUGHT" : `caught in ${seconds} s`} by ${by}`)
}
process.exit(missed === 0 ? 0 : 1)
