import { expect, it } from "vitest"
import { type BackendSuiteOptions, type SelectionEnvironment, selectBackends } from "../../src/conformance/index.ts"
import { memoryBackend } from "../../src/index.ts"

const options: BackendSuiteOptions = { backend: memoryBackend }
const backends = { sqlite: options, postgres: options, mysql: options }

/** The selected names; those that must be there are marked. */
const selected = (environment: SelectionEnvironment) =>
  selectBackends(backends, environment).map(([name, { mayBeAway }]) => (mayBeAway ? name : `${name}!`))

it("selects every backend, and lets those be away that nobody asked for", () => {
  expect(selected({})).toEqual(["sqlite", "postgres", "mysql"])
  expect(selected({ CI: "" })).toEqual(["sqlite", "postgres", "mysql"])
})

it("wants every backend there under CI", () => {
  expect(selected({ CI: "true" })).toEqual(["sqlite!", "postgres!", "mysql!"])
})

it("selects the named ones, once each, and wants them there", () => {
  expect(selected({ EVENTLOG_TEST_BACKENDS: "mysql, sqlite,mysql" })).toEqual(["mysql!", "sqlite!"])
})

it.each(["postgre", "", "sqlite,", "all", "toString"])('throws for "%s"', (names) => {
  expect(() => selected({ EVENTLOG_TEST_BACKENDS: names })).toThrow("only sqlite, postgres, mysql")
})
