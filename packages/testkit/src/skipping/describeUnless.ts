import { describe } from "vitest"
import { unlessRequired } from "./unlessRequired.ts"

/** Describes tests, as vitest's `describe` does. */
export type Describe = (title: string, tests: () => void, options?: { readonly timeout?: number }) => void

/** Describes tests that need something. Where that is missing they are skipped, and their title says why; in CI they fail. */
export const describeUnless = (missing: string | undefined): Describe => {
  const reason = unlessRequired(missing)
  return (title, tests, options = {}) =>
    reason === undefined ? describe(title, options, tests) : describe.skip(`${title}: ${reason}`, options, tests)
}
