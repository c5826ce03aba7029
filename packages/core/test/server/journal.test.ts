import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect, it } from "vitest"
import { leaseFromEventJournal, memoryBackend } from "../../src/index.ts"
import { startServer } from "./host.ts"

it("a server goes on behind what the app's journal holds", async () => {
  const backend = memoryBackend()
  const journal = Effect.runSync(EventJournal.makeMemory)
  const seen: Array<string> = []
  const handlers = {
    TodoAdded: ({ payload }: { payload: { id: string } }) => void seen.push(payload.id),
    TodoToggled: () => {}
  }
  const run = async (ids: ReadonlyArray<string>) => {
    const { server } = await startServer({ backend, handlers, progress: leaseFromEventJournal(() => journal) })
    for (const id of ids) {
      const { sequenceNumbers } = await server.write({ storeId: "s", event: "TodoAdded", payload: { id, text: id } })
      await server.processed({ storeId: "s", sequence: sequenceNumbers[0]! })
    }
    await server.close()
  }
  await run(["a", "b"])
  await run(["c"])
  expect(seen).toEqual(["a", "b", "c"])
  const entries = await Effect.runPromise(journal.entries)
  expect(entries.map(({ primaryKey }) => primaryKey)).toEqual(["a", "b", "c"])
})
