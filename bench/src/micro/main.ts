/** Runs one piece of code again and again: `main.ts NAME SECONDS`. Prints how many entries a second. */
import * as codecs from "./codecs.ts"
import { makeCompaction, makeEffectCompaction } from "./compaction.ts"
import { makePlainHandlers } from "./plainHandlers.ts"
import { makeProcessing } from "./processing.ts"

/** Handles some entries, and answers how many. */
type Step = () => number | Promise<number>

const steps = {
  encode: () => codecs.encode,
  "encode-effect": () => codecs.encodeWithEffect,
  "encode-msgpackr": () => codecs.encodeWithMsgpackr,
  decode: () => codecs.decode,
  "decode-effect": () => codecs.decodeWithEffect,
  "decode-msgpackr": () => codecs.decodeWithMsgpackr,
  compaction: makeCompaction,
  "compaction-effect": makeEffectCompaction,
  processing: makeProcessing,
  "plain-handlers": makePlainHandlers
} satisfies Record<string, () => Step | Promise<Step>>

/** What can be run. */
export type MicroName = keyof typeof steps

const runFor = async (step: Step, seconds: number): Promise<number> => {
  const from = performance.now()
  let entries = 0
  while (performance.now() - from < seconds * 1_000) {
    const handled = step()
    entries += typeof handled === "number" ? handled : await handled
  }
  return entries / ((performance.now() - from) / 1_000)
}

const [name, seconds] = process.argv.slice(2)
const step = await steps[name as MicroName]()
// The first part warms the code up.
await runFor(step, Number(seconds) / 2)
const value = await runFor(step, Number(seconds))
console.log(value)
process.exit(0)
