import { behindNetwork } from "@eventlog-server/testkit/faults"
import { backendSuite } from "../../src/conformance/index.ts"
import { layerOf, makeMemoryState } from "../../src/memory/backend.ts"
import { loseTail } from "./loseTail.ts"

backendSuite("memory", {
  scale: process.env.EVENTLOG_TEST_LONG ? 8 : 1,
  backend: () => {
    const state = makeMemoryState()
    return {
      ...behindNetwork({ layer: layerOf(state) }),
      expireLease: async (storeId) => void state.progress.holders.delete(storeId),
      loseTail: async (storeId, count) => loseTail(state, storeId, count)
    }
  }
})
