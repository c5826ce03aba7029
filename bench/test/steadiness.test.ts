import { describe, expect, it } from "vitest"
import { isSteady } from "../src/load/steadiness.ts"

describe("isSteady", () => {
  it("needs three windows that lie within a tenth", () => {
    expect(isSteady([100, 100])).toBe(false)
    expect(isSteady([96, 100, 105])).toBe(true)
    expect(isSteady([94, 100, 105])).toBe(false)
  })

  it("looks at the last windows only", () => {
    expect(isSteady([1, 50, 100, 101, 102])).toBe(true)
    expect(isSteady([100, 101, 102, 150])).toBe(false)
  })

  it("doesn't take a slow climb for steady", () => {
    expect(isSteady([100, 107, 114])).toBe(false)
  })

  it("doesn't take standing still for steady", () => {
    expect(isSteady([0, 0, 0])).toBe(false)
  })
})
