import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { combine } from "../src/database/combine.ts"

interface Calls {
  readonly alone: Array<number>
  readonly together: Array<ReadonlyArray<number>>
}

/** Doubles numbers. Together it leaves out what is not even. */
const setUp = (fails: (items: ReadonlyArray<number>) => boolean = () => false) => {
  const calls: Calls = { alone: [], together: [] }
  const double = combine<number, string, string>({
    alone: (item) => {
      calls.alone.push(item)
      return item < 0 ? Effect.fail("negative") : Effect.succeed(`${item * 2} alone`)
    },
    together: (items) => {
      calls.together.push(items)
      if (fails(items)) return Effect.fail("refused")
      const even = Array.from(items.entries()).filter(([, item]) => item % 2 === 0)
      return Effect.succeed(new Map(even.map(([index, item]) => [index, `${item * 2}`])))
    },
    weigh: (item) => Math.abs(item),
    maxWeight: 10
  })
  const all = (...items: ReadonlyArray<number>) =>
    Effect.runPromise(
      Effect.forEach(items, (item) => Effect.result(double(item)), { concurrency: "unbounded" }).pipe(
        Effect.map((results) => results.map((result) => (result._tag === "Success" ? result.success : result.failure)))
      )
    )
  return { all, calls }
}

describe("calls at the same time", () => {
  it("are made together, and each gets its own answer", async () => {
    const { all, calls } = setUp()
    expect(await all(2, 4, 2)).toEqual(["4", "8", "4"])
    expect(calls).toEqual({ alone: [], together: [[2, 4, 2]] })
  })

  it("are made alone where they are left out, and fail alone", async () => {
    const { all, calls } = setUp()
    expect(await all(2, 1, -3, 4)).toEqual(["4", "2 alone", "negative", "8"])
    expect(calls).toEqual({ alone: [1, -3], together: [[2, 1, -3, 4]] })
  })

  it("are made alone where the call together fails", async () => {
    const { all, calls } = setUp((items) => items.includes(6))
    expect(await all(2, 6)).toEqual(["4 alone", "12 alone"])
    expect(calls).toEqual({ alone: [2, 6], together: [[2, 6]] })
  })

  it("weigh no more than one call may, but for one that does by itself", async () => {
    const { all, calls } = setUp()
    expect(await all(2, 8, 2, 40, 4, 6)).toEqual(["4", "16", "4 alone", "80 alone", "8", "12"])
    expect(calls).toEqual({
      alone: [2, 40],
      together: [
        [2, 8],
        [4, 6]
      ]
    })
  })

  it("are made alone where there is only one", async () => {
    const { all, calls } = setUp()
    expect(await all(2)).toEqual(["4 alone"])
    expect(calls).toEqual({ alone: [2], together: [] })
  })
})
