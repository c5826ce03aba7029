import { describe, expect, it } from "vitest"
import { startServer } from "./host.ts"

const storeId = "store"

/** A server with a store of so many entries, read a few at a time. */
const start = async (count: number) => {
  const { server } = await startServer({ limits: { maxPageEntries: 3 } })
  for (let index = 0; index < count; index++) {
    await server.write({ storeId, event: "TodoAdded", payload: { id: `${index}`, text: "" } })
  }
  return async (from: number, to?: number) => {
    const sequences: Array<number> = []
    for await (const entry of server.read({ storeId, from, to })) sequences.push(entry.remoteSequence)
    return sequences
  }
}

const range = (from: number, to: number) => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i)

describe("reading a store", () => {
  it("goes from one sequence to another, both included, whatever the pages", async () => {
    const read = await start(10)
    expect(await read(0)).toEqual(range(1, 10))
    expect(await read(-5)).toEqual(range(1, 10))
    for (let from = 1; from <= 11; from++) {
      expect(await read(from)).toEqual(range(from, 10))
      for (let to = 0; to <= 12; to++) expect(await read(from, to)).toEqual(range(from, Math.min(to, 10)))
    }
  })

  it("ends at the head of when it began", async () => {
    const { server } = await startServer({ limits: { maxPageEntries: 2 } })
    const write = () => server.write({ storeId, event: "TodoAdded", payload: { id: "a", text: "" } })
    for (let index = 0; index < 5; index++) await write()
    let count = 0
    for await (const _ of server.read({ storeId, from: 1 })) {
      count++
      await write()
    }
    expect(count).toBe(5)
  })

  it("of a store that never was gives nothing, of an erased one fails", async () => {
    const read = await start(0)
    expect(await read(1)).toEqual([])
    const { server } = await startServer()
    await server.erase(storeId)
    const entries = server.read({ storeId, from: 1 })[Symbol.asyncIterator]()
    await expect(entries.next()).rejects.toMatchObject({ _tag: "StoreErasedError" })
  })
})
