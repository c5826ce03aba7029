import fc from "fast-check"
import { expect, it } from "vitest"
import { judge } from "../src/oracle/judge.ts"
import { scenarios } from "../src/simulation/scenario.ts"
import { simulate } from "../src/simulation/simulate.ts"

const runs = process.env.EVENTLOG_TEST_LONG === undefined ? 60 : 1_000

it("keeps every promise on two nodes, whatever devices, delays, crashes and a failing backend do", () =>
  fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      expect(judge(await simulate(scenario))).toEqual([])
    }),
    { numRuns: runs }
  ))
