import { memoryBackend } from "@eventlog-server/core"
import type { StorageKind } from "./Storage.ts"

/** Keeps nothing beyond the life of the process. */
export const memory: StorageKind = {
  open: async () => ({ backend: memoryBackend(), close: async () => {} })
}
