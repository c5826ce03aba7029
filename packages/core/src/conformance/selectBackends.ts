import type { BackendSuiteOptions } from "./harness.ts"

/** The environment variables that select; `process.env` fits. */
export interface SelectionEnvironment {
  /** Names of backends, separated by commas. @default all of them */
  readonly EVENTLOG_TEST_BACKENDS?: string | undefined
  /** `"true"` where nothing may be left out. */
  readonly CI?: string | undefined
}

const parse = (names: string): ReadonlyArray<string> => names.split(",").map((name) => name.trim())

/**
 * Selects the backends that a package's tests run on, by the variable `EVENTLOG_TEST_BACKENDS`. It fails closed: a name
 * that is not among them throws, an empty one too.
 *
 * A backend that is away may be skipped where nobody asked for it. One that was named must be there, and so must every
 * one where `CI` is `"true"`.
 *
 * ```ts
 * for (const [name, options] of selectBackends({ sqlite, postgres }, process.env)) backendSuite(name, options)
 * ```
 */
export const selectBackends = (
  backends: Readonly<Record<string, BackendSuiteOptions>>,
  environment: SelectionEnvironment
): ReadonlyArray<readonly [name: string, options: BackendSuiteOptions]> => {
  const { CI, EVENTLOG_TEST_BACKENDS } = environment
  if (EVENTLOG_TEST_BACKENDS === undefined) {
    return Object.entries(backends).map(([name, options]) => [name, { ...options, mayBeAway: CI !== "true" }])
  }
  return [...new Set(parse(EVENTLOG_TEST_BACKENDS))].map((name) => {
    const options = Object.hasOwn(backends, name) ? backends[name] : undefined
    if (options !== undefined) return [name, { ...options, mayBeAway: false }]
    throw new Error(`There is no backend "${name}", only ${Object.keys(backends).join(", ")}`)
  })
}
