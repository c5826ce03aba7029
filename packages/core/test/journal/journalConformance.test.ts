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

storeProgressSuite("leaseFromEventJournal, memory", {
  backend: () => harnessOf(Effect.succeed(Effect.runSync(EventJournal.makeMemory)))
})

storeProgressSuite("leaseFromEventJournal, SQL", {
  backend: async () => {
    const scope = Scope.makeUnsafe()
    const client = await Effect.runPromise(Scope.provide(openSqlite(":memory:"), scope))
    return {
      ...harnessOf(openSqlJournal(client)),
      close: () => Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
})
