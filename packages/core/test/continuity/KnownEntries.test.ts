import { expect, it } from "vitest"
import { StoreId } from "../../src/backend/StoreId.ts"
import { makeRecords } from "../../src/conformance/fixtures.ts"
import { KnownEntries } from "../../src/continuity/KnownEntries.ts"

const store = (number: number) => StoreId.make(`store ${number}`)
const id = (byte: number) => new Uint8Array(16).fill(byte)

it("the last entry that was seen is known, whatever came after it with a lower sequence", () => {
  const known = new KnownEntries()
  const seen = id(7)
  known.see(store(1), 7, seen)
  known.see(store(1), 3, id(3))
  seen.fill(0)
  expect(known.last(store(1))).toEqual({ sequence: 7, id: id(7) })
  known.see(store(1), 8, id(8))
  expect(known.last(store(1))).toEqual({ sequence: 8, id: id(8) })
})

it("of what was appended the entry with the greatest sequence is known, though it was there before", () => {
  const known = new KnownEntries()
  const records = makeRecords(3)
  known.seeAppended(store(1), records, [
    { sequence: 2, isNew: false },
    { sequence: 9, isNew: true },
    { sequence: 4, isNew: false }
  ])
  expect(known.last(store(1))).toEqual({ sequence: 9, id: records[1]!.entry.id })
  known.seeAppended(store(2), [], [])
  expect(known.last(store(2))).toBeUndefined()
})

it("no more than 50,000 stores are remembered, those that were used last", () => {
  const known = new KnownEntries()
  for (let number = 0; number < 50_000; number++) known.see(store(number), 1, id(1))
  known.see(store(0), 2, id(2))
  known.see(store(50_000), 1, id(1))
  expect(known.last(store(0))?.sequence).toBe(2)
  expect(known.last(store(1))).toBeUndefined()
  expect(known.last(store(2))?.sequence).toBe(1)
  known.forget(store(2))
  expect(known.last(store(2))).toBeUndefined()
  known.forgetAll()
  expect(known.last(store(0))).toBeUndefined()
})
