import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { describe, expect, it } from "vitest"
import { mutations } from "../mutations/mutations.ts"

const packages = resolve(import.meta.dirname, "../../packages")

describe("the mutation", () => {
  it.each(mutations.map((mutation) => [mutation.name, mutation] as const))(
    "%s still has the one place that it is put into",
    (_, { file, from, to }) => {
      const source = readFileSync(resolve(packages, file), "utf8")
      expect(source.split(from).length - 1).toBe(1)
      expect(to).not.toBe(from)
    }
  )
})
