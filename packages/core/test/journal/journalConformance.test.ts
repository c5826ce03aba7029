import { Effect, Exit, Layer, Scope } from "effect"
import { EventJournal } from "effect/eventlog"
import type { StoreId } from "../../src/backend/StoreId.ts"
import { storeProgressSuite } from "../../src/conformance/index.ts"
import { leaseFromEventJournal } from "../../src/journal/leaseFromEventJournal.ts"
import { layerOf, makeMemoryState } from "../../src/memory/backend.ts"
import type { Journal } from "./journals.ts"
import { openSqlite, openSqlJournal } from "./sqliteJournal.ts"

/** Nodes that open a journal each. */
const harnessOf = (openJournal: Effect.Effect<Journal>) => {
  const state = makeMemoryState()
  const progress = Layer.unwrap(Effect.map(openJournal, (journal) => leaseFromEventJournal(() => journal)))
  return {
    layer: Layer.provideMerge(progress, layerOf(state)),
    expireLease: async (storeId: StoreId) => void state.progress.holders.delete(storeId)
  }
}

const skip = [
  "moves the cursor back, and knows how far it was",
  "goes to the least of the sequences that are wanted, and never forward",
  "lets no holder move the cursor before it was done",
  "does the work first, and nothing where that fails",
  "forgets what failed behind the cursor, and nothing else",
  "is fenced",
  "counts as behind until it is done, also at the head",
  "does nothing for a store that never was, or was erased"
].map((title) => ({ test: `rewinding: ${title}`, reason: "a journal holds each entry once, and never forgets one" }))

storeProgressSuite("leaseFromEventJournal, memory", {
  skip,
  backend: () => harnessOf(Effect.succeed(Effect.runSync(EventJournal.makeMemory)))
})

storeProgressSuite("leaseFromEventJournal, SQL", {
  skip,
  backend: async () => {
    const scope = Scope.makeUnsafe()
    const client = await Effect.runPromise(Scope.provide(openSqlite(":memory:"), scope))
    return {
      ...harnessOf(openSqlJournal(client)),
      close: () => Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
})
