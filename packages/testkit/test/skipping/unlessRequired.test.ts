import { afterEach, expect, it, vi } from "vitest"
import { unlessRequired } from "../../src/skipping/index.ts"

afterEach(() => void vi.unstubAllEnvs())

it("gives the reason to leave tests out, and fails with it in CI", () => {
  vi.stubEnv("CI", "")
  expect(unlessRequired("No database: start one")).toBe("No database: start one")
  vi.stubEnv("CI", "true")
  expect(() => unlessRequired("No database: start one")).toThrow("No database: start one")
  expect(unlessRequired(undefined)).toBeUndefined()
})
