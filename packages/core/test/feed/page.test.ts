import { describe, expect, it } from "vitest"
import { Page, type PageEncoder } from "../../src/feed/page.ts"
import { record } from "./harness.ts"

const page = new Page([7, 8, 9].map((remoteSequence) => ({ ...record(10), remoteSequence })))

describe("a page", () => {
  it("knows where it begins and ends, and what it weighs", () => {
    expect([page.first, page.last, page.bytes]).toEqual([7, 9, 36])
  })

  it.each([
    [1, 0],
    [7, 0],
    [8, 1],
    [9, 2],
    [10, 3]
  ])("finds sequence %i at index %i", (sequence, index) => {
    expect(page.indexOf(sequence)).toBe(index)
  })

  it("encodes each entry once for each encoder", () => {
    const calls: Array<number> = []
    const encoder: PageEncoder<Uint8Array> = (entries) => {
      const sequences = entries.map(({ remoteSequence }) => remoteSequence)
      calls.push(...sequences)
      return Uint8Array.from(sequences)
    }
    expect(page.encoded(encoder)).toBe(page.encoded(encoder))
    expect(calls).toEqual([7, 8, 9])
    expect(page.encoded(() => new Uint8Array(2))).not.toBe(page.encoded(encoder))
  })
})
