import { type Expectation, required, withFunctions, withHint } from "../options/index.ts"

/** What adapters expect as their `server`. */
export const mountableExpectation: Expectation = withHint(
  required({ ...withFunctions("admit", "connect", "close"), expected: "what createEventLogServer returns" }),
  (value) => (typeof value === "object" && value !== null && "then" in value ? "It is a promise: await it." : undefined)
)

const isOrigin = (value: unknown): boolean => {
  // A page whose origin is hidden has this one.
  if (value === "null") return true
  return typeof value === "string" && URL.canParse(value) && new URL(value).origin === value
}

/** What adapters expect as their `allowedOrigins`. An origin with a slash behind it would never be met. */
export const allowedOriginsExpectation: Expectation = {
  expected: '"same-origin", "any", a function, or an array of origins such as "https://app.example"',
  accepts: (value) =>
    value === "same-origin" ||
    value === "any" ||
    typeof value === "function" ||
    (Array.isArray(value) && value.every(isOrigin)),
  hint: (value) => {
    if (typeof value === "string") return "One origin is an array of one."
    return Array.isArray(value) ? "An origin has a scheme and a host, and no path or slash behind them." : undefined
  }
}
