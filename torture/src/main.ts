import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Flags, readFlags, UsageError, usage } from "./flags.ts"
import { judge } from "./oracle/judge.ts"
import { groupBy } from "./oracle/select.ts"
import { describe, summary } from "./report.ts"
import { storages } from "./storages/index.ts"
import { torture } from "./torture.ts"

/** Violations that are shown; those after them mostly follow from them. */
const shown = 3

const run = async (flags: Flags): Promise<boolean> => {
  const folder = mkdtempSync(join(tmpdir(), "eventlog-torture-"))
  const say = (line: string): void => console.log(`[${flags.storage}, seed ${flags.seed}] ${line}`)
  try {
    const serverScript = fileURLToPath(new URL("server.js", import.meta.url))
    const { evidence, faults } = await torture({ ...flags, open: storages[flags.storage], serverScript, folder, say })
    const violations = judge(evidence)
    say(Array.from(faults, ([name, count]) => `${count} ${name}`).join(", "))
    for (const [rule, { length }] of groupBy(violations, ({ rule }) => rule)) say(`${length} violations of ${rule}`)
    for (const violation of violations.slice(0, shown)) say(describe(evidence, violation).join("\n"))
    const count = Array.from(faults.values()).reduce((sum, count) => sum + count, 0)
    if (violations.length > 0) {
      const again = `--storage ${flags.storage} --seconds ${flags.seconds} --seed ${flags.seed} --devices ${flags.devices}`
      say(`the same faults again: npm run torture -- ${again} --servers ${flags.servers}`)
    }
    console.log(summary(evidence, count, violations.length))
    return violations.length === 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const flagsOrExit = (): Flags => {
  try {
    const flags = readFlags(process.argv.slice(2))
    if (flags !== "help") return flags
    console.log(usage)
    return process.exit(0)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`${error.message}\n\n${usage}`)
    return process.exit(2)
  }
}

process.exit((await run(flagsOrExit())) ? 0 : 1)
