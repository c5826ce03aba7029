import { describe, expect, it } from "vitest"
import { readFlags } from "../src/flags.ts"

describe("readFlags", () => {
  it("measures everything beside everybody by default", () => {
    expect(readFlags([])).toMatchObject({
      ...{ only: [], beside: ["peer", "bare", "limit"], quick: false, json: false },
      ...{ seconds: undefined, rounds: undefined, plot: undefined }
    })
  })

  it("takes what may be repeated as often as it is there", () => {
    const args = ["--only", "fanout", "--only", "ingest", "--beside", "limit", "--beside", "peer"]
    expect(readFlags(args)).toMatchObject({ only: ["fanout", "ingest"], beside: ["peer", "limit"] })
    expect(readFlags(["--beside", "nobody"])).toMatchObject({ beside: [] })
  })

  it.each([
    [["--seconds", "0"], "--seconds must be"],
    [["--seconds", "soon"], "--seconds must be"],
    [["--rounds", "1.5"], "--rounds must be"],
    [["--beside", "ours"], "--beside must be peer, bare, limit or nobody"],
    [["--fast"], "--fast"]
  ])("refuses %j", (args, message) => {
    expect(() => readFlags(args)).toThrow(message)
  })

  it("lets help have its way", () => {
    expect(readFlags(["--quick", "--help"])).toBe("help")
  })
})
