import { addedSchema } from "@eventlog-server/testkit/schema"
import { EventJournal } from "effect/eventlog"
import { describe, expect, it, onTestFinished, vi } from "vitest"
import type { FeedRecord } from "../../src/backend/index.ts"
import { StoreId } from "../../src/effect.ts"
import { allowAll, createEventLogServer } from "../../src/index.ts"
import { layerOf, makeMemoryState } from "../../src/memory/backend.ts"
import { loseTail } from "../memory/loseTail.ts"

const storeId = StoreId.make("store")

/** Another entry in the place of one that is lost for good. */
const insteadOf = (lost: FeedRecord): FeedRecord => ({
  ...lost,
  entry: new EventJournal.Entry(
    { ...lost.entry, id: EventJournal.makeEntryIdUnsafe(), primaryKey: "instead" },
    { disableChecks: true }
  )
})

/** A server on a memory that can lose entries. @param isHeld whose handler waits until it is released */
const start = async (isHeld: string | undefined) => {
  const state = makeMemoryState()
  const handled: Array<string> = []
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const server = createEventLogServer({
    schema: addedSchema,
    handlers: {
      TodoAdded: async ({ entry: { primaryKey } }) => {
        if (primaryKey === isHeld) await released
        handled.push(primaryKey)
      }
    },
    backend: { layer: layerOf(state) },
    auth: allowAll,
    reauthorizeInterval: 200
  })
  onTestFinished(() => server.close())
  onTestFinished(() => release())
  return {
    ...{ state, server, handled, release },
    write: async (id: string): Promise<number> => {
      const { sequenceNumbers } = await server.write({ storeId, event: "TodoAdded", payload: { id, text: "" } })
      return sequenceNumbers[0]!
    },
    entries: () => state.feeds.feeds.get(storeId)!.page(1, { maxEntries: 9, maxBytes: 1_000_000 }).entries,
    append: (records: ReadonlyArray<FeedRecord>) => state.feeds.feeds.get(storeId)!.append(records)
  }
}

describe("a feed that lost entries and was filled again, so that its last one stands where it stood", () => {
  it("is another history for a node that didn't see the loss: handlers get what is new in it", async () => {
    const { append, entries, handled, server, state, write } = await start(undefined)
    for (const id of ["first", "lost", "last"]) await write(id)
    await server.processed({ storeId, sequence: 3 })
    const [, lost, last] = entries()

    // The other node's devices have sent what they hold before this one reads again.
    loseTail(state, storeId, 2)
    state.feeds.id = EventJournal.makeRemoteIdUnsafe()
    append([insteadOf(lost!), last!])

    await expect(write("next")).rejects.toMatchObject({ _tag: "FeedLostError" })
    await server.processed({ storeId, sequence: await write("next") })
    await vi.waitFor(() => expect(handled).toContain("instead"), { timeout: 5_000 })
  })

  it("is another history for a handler that was running: its end doesn't pass what is new in it", async () => {
    const { append, entries, handled, release, server, state, write } = await start("last")
    for (const id of ["first", "lost"]) await write(id)
    await server.processed({ storeId, sequence: 2 })
    await write("last")
    const last = entries()[2]!

    loseTail(state, storeId, 2)
    await expect(write("instead")).rejects.toMatchObject({ _tag: "FeedLostError" })
    expect(await write("instead")).toBe(2)
    append([last])
    release()

    await server.processed({ storeId, sequence: await write("next") })
    await vi.waitFor(() => expect(handled).toContain("instead"), { timeout: 5_000 })
  })
})
