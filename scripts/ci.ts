/**
 * Everything that must hold before a change lands. Runs on after a failure, so that one run tells all of it, and ends
 * with the line `N passed, N failed`: the tests that vitest counted, and one for each other check.
 *
 * Run it through npm (`npm run ci`) in an installed checkout.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

interface Count {
  readonly passed: number
  readonly failed: number
}

interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
}

const npm = (...args: ReadonlyArray<string>): boolean => {
  const cli = process.env.npm_execpath
  if (cli === undefined) throw new Error("Run this through npm: npm run ci")
  console.log(`\n> npm ${args.join(" ")}`)
  const { status } = spawnSync(process.execPath, [cli, ...args], {
    stdio: "inherit",
    // Under CI nothing that a test wants may be missing: without a browser its tests fail instead of being skipped.
    env: { ...process.env, CI: "true", TURBO_TELEMETRY_DISABLED: "1" }
  })
  return status === 0
}

const check = (script: string, ...flags: ReadonlyArray<string>): Count =>
  npm("run", script, "--", ...flags) ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }

const readReport = (file: string): VitestReport | undefined => {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as VitestReport
  } catch {
    return undefined
  }
}

const tests = (): Count => {
  const folder = mkdtempSync(join(tmpdir(), "eventlog-ci-"))
  const file = join(folder, "report.json")
  try {
    const succeeded = npm("test", "--", "--reporter=default", "--reporter=json", `--outputFile.json=${file}`)
    const report = readReport(file)
    const passed = report?.numPassedTests ?? 0
    const failed = report?.numFailedTests ?? 0
    // A file that can't be loaded or an error outside of any test fails the run without failing a test.
    if (succeeded && passed > 0) return { passed, failed }
    return { passed, failed: Math.max(failed, 1) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The same faults on every storage and in every run, so that a change is what makes the difference. */
const torture = (storage: string): Count => check("torture", "--storage", storage, "--seconds", "20", "--seed", "1")

const counts = [
  check("build"),
  tests(),
  ...["memory", "sqlite", "postgres", "mysql", "redis"].map(torture),
  ...["lint", "boundaries", "typecheck", "check:publish"].map((script) => check(script))
]
const passed = counts.reduce((sum, count) => sum + count.passed, 0)
const failed = counts.reduce((sum, count) => sum + count.failed, 0)
process.exitCode = failed === 0 ? 0 : 1
console.log(`\n${passed} passed, ${failed} failed`)
