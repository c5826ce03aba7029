import type { Check } from "./history.ts"
import { allOf } from "./select.ts"

/** No server comes to an end by itself. */
export const checkLives: Check = (evidence) =>
  allOf(evidence, "died").map(({ run, why }) => ({
    rule: "crashes",
    message: `Server run ${run} ended by itself: ${why}`,
    about: [run]
  }))

/** No server outgrows its bound, whatever was done to it. */
export const checkMemory: Check = (evidence) => {
  const { maxServerBytes } = evidence.rules
  const worst = allOf(evidence, "measured").reduce<{ bytes: number; run: string } | undefined>(
    (most, measured) => (most === undefined || measured.bytes > most.bytes ? measured : most),
    undefined
  )
  if (worst === undefined || worst.bytes <= maxServerBytes) return []
  const message = `Server run ${worst.run} had ${worst.bytes} bytes; ${maxServerBytes} are allowed`
  return [{ rule: "memory", message, about: [worst.run] }]
}
