import { type ForgetfulStorage, lossLaw } from "@eventlog-server/testkit/failover"
import { layerOf, makeMemoryState } from "../../src/memory/backend.ts"
import { loseTail } from "../memory/loseTail.ts"

/** A memory that forgets what was committed since it was told to. */
const openMemory = async (): Promise<ForgetfulStorage> => {
  const state = makeMemoryState()
  const ends = new Map<string, number>()
  return {
    openBackend: () => ({ layer: layerOf(state) }),
    beginLosing: async () => {
      for (const [storeId, { end }] of state.feeds.feeds) ends.set(storeId, end)
    },
    takeOver: async () => {
      for (const [storeId, { end }] of state.feeds.feeds) loseTail(state, storeId, end - (ends.get(storeId) ?? 0))
      state.feeds.listeners.wakeAll()
    }
  }
}

lossLaw("a memory that forgets", { nodes: 2, open: openMemory })
