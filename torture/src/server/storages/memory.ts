import { type Backend, memoryBackend } from "@eventlog-server/core"
import type { Open } from "./openStorage.ts"

/** Keeps everything in this process. */
export const memory: Open = async () => ({
  backend: memoryBackend() as Backend<unknown>,
  close: async () => {}
})
