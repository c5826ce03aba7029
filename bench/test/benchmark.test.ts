import { expect, it } from "vitest"
import { type Benchmark, type Measurement, type Role, run } from "../src/benchmark.ts"

const contender = (role: Role, measure: () => Measurement) => ({
  role,
  label: `a ${role}`,
  measure: async () => measure()
})

const benchmarkOf = (contenders: Benchmark["contenders"]): Benchmark => ({
  ...{ name: "some/thing", unit: "things/s", better: "more", rounds: 3 },
  contenders
})

it("lets contenders take turns, and compares the medians of their rounds", async () => {
  const turns: Array<Role> = []
  const figures: Readonly<Record<Role, Array<number>>> = {
    ours: [40, 50, 900],
    peer: [10, 1, 30],
    bare: [100, 100, 100],
    limit: [500, 400, 600]
  }
  const roles = ["ours", "peer", "bare", "limit"] as const
  const contenders = roles.map((role) =>
    contender(role, () => {
      turns.push(role)
      return { value: figures[role].shift()!, "p50 ms": figures[role].length }
    })
  )
  const result = await run(benchmarkOf(contenders), () => {})
  expect(turns).toEqual([...roles, ...roles, ...roles])
  expect(result).toMatchObject({
    ...{ ours: 50, peer: 10, bare: 100, limit: 500 },
    ...{ ratioToPeer: 5, ratioToBare: 0.5, ratioToLimit: 0.1 },
    details: { ours: { "p50 ms": 1 }, limit: { "p50 ms": 1 } },
    skipped: []
  })
})

it("goes on without a contender that fails, and says why", async () => {
  let asked = 0
  const contenders = [
    contender("ours", () => ({ value: 1 })),
    contender("peer", () => {
      asked++
      throw new Error("it is away")
    })
  ]
  const result = await run(benchmarkOf(contenders), () => {})
  expect(asked).toBe(1)
  expect(result).toMatchObject({ ours: 1, peer: null, ratioToPeer: null, skipped: ["a peer: it is away"] })
})

it("throws away what contenders share once the last of them ran, also when one fails", async () => {
  const order: Array<string> = []
  const contenders = (["ours", "bare"] as const).map((role) =>
    contender(role, () => {
      order.push(role)
      if (role === "bare") throw new Error("it is away")
      return { value: 1 }
    })
  )
  const end = async () => void order.push("end")
  await run({ ...benchmarkOf(contenders), end }, () => {})
  expect(order).toEqual(["ours", "bare", "ours", "ours", "end"])
})
