import { type Flags, readFlags, UsageError, usage } from "./flags.ts"
import { columns, head, line, rowOf } from "./report.ts"
import { runAttack } from "./runAttack.ts"
import { describeSiege, verdictOf } from "./siege/report.ts"
import { runSiege } from "./siege/runSiege.ts"

/** Attacks a running server and tells what it cost. */

const runAttacks = async ({ adapters, attacks, seconds }: Flags): Promise<void> => {
  console.log(head(columns))
  for (const adapter of adapters)
    for (const attack of attacks) console.log(line(rowOf(await runAttack(attack, adapter, seconds))))
}

/** Resolves with whether all of them were withstood. */
const runSieges = async ({ adapters, hostile, honest, kinds, seconds }: Flags): Promise<boolean> => {
  let isWithstood = true
  for (const adapter of adapters) {
    const outcome = await runSiege({ adapter, hostile, honest, kinds, seconds })
    console.log(describeSiege(outcome).join("\n"))
    isWithstood &&= Object.values(verdictOf(outcome)).every((is) => is)
  }
  return isWithstood
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

const flags = flagsOrExit()
if (flags.attacks.length > 0) await runAttacks(flags)
process.exit(flags.siege && !(await runSieges(flags)) ? 1 : 0)
