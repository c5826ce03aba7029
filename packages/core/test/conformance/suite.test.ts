import { fileURLToPath } from "node:url"
import { beforeAll, describe, expect, it } from "vitest"
import { startVitest, type TestCase, type TestModule } from "vitest/node"

/** Runs the suites of the folder, as a storage package would. */
const run = async (): Promise<ReadonlyArray<TestModule>> => {
  const vitest = await startVitest("test", [], {
    root: fileURLToPath(new URL("suites", import.meta.url)),
    config: false,
    watch: false,
    include: ["*.ts"],
    isolate: false,
    fileParallelism: false,
    reporters: [{}]
  })
  const modules = vitest.state.getTestModules()
  await vitest.close()
  return modules
}

/** What became of a test, with the reason where it was skipped. */
const outcomeOf = (test: TestCase): string => {
  const result = test.result()
  return result.state === "skipped" && result.note !== undefined ? `skipped: ${result.note}` : result.state
}

describe("a suite", () => {
  let modules: ReadonlyArray<TestModule>
  beforeAll(async () => {
    modules = await run()
  }, 60_000)

  const moduleOf = (file: string): TestModule => {
    const module = modules.find(({ moduleId }) => moduleId.endsWith(`/${file}`))
    if (module === undefined) throw new Error(`There is no ${file}`)
    return module
  }

  const suiteOf = (file: string, name: string) => {
    const suite = moduleOf(file)
      .children.array()
      .find((child) => child.name === name)
    if (suite?.type !== "suite") throw new Error(`There is no suite "${name}"`)
    return {
      state: suite.state(),
      errors: suite.errors().map(({ message }) => message),
      outcomes: new Map([...suite.children.allTests()].map((test) => [test.name, outcomeOf(test)]))
    }
  }

  it("is skipped with the reason when its backend is away and may be", () => {
    const { outcomes, state } = suiteOf("away.ts", "may be away")
    expect(state).toBe("passed")
    expect(new Set(outcomes.values())).toEqual(new Set(["skipped: nothing listens on port 1"]))
  })

  it("fails when its backend is away and may not be", () => {
    const { errors, state } = suiteOf("away.ts", "must be there")
    expect(state).toBe("failed")
    expect(errors).toEqual(["nothing listens on port 1"])
  })

  it("fails when its backend can't be opened for another reason", () => {
    const { errors, state } = suiteOf("broken.ts", "broken")
    expect(state).toBe("failed")
    expect(errors).toEqual(["a typo in the test"])
  })

  it("shows what it skips, and why", () => {
    const { outcomes, state } = suiteOf("limited.ts", "limited")
    expect(state).toBe("passed")
    expect([...outcomes].filter(([, outcome]) => outcome !== "passed")).toEqual([
      ["moves nothing for a holder that lost it, and tells it so", "skipped: the harness has no expireLease"],
      ["stays with its new holder when the one that lost it gives up", "skipped: the harness has no expireLease"],
      ["answers for a thousand stores at once", "skipped: this storage takes a minute for it"],
      ["is fenced", "skipped: the harness has no expireLease"]
    ])
  })

  it("doesn't load when it is to skip a test that doesn't exist", () => {
    expect(
      moduleOf("misspelt.ts")
        .errors()
        .map(({ message }) => message)
    ).toEqual(['No test is called "cursors: answers for a million stores at once"'])
  })
})
