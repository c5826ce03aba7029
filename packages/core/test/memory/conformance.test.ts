import { backendSuite } from "../../src/conformance/index.ts"
import { layerOf, makeMemoryState } from "../../src/memory/backend.ts"
import { behindNetwork } from "./outage.ts"

backendSuite("memory", {
  scale: process.env.EVENTLOG_TEST_LONG ? 8 : 1,
  backend: () => {
    const state = makeMemoryState()
    return {
      ...behindNetwork(layerOf(state)),
      expireLease: async (storeId) => void state.progress.holders.delete(storeId)
    }
  }
})
