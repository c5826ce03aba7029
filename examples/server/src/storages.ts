import { type Backend, memoryBackend } from "@eventlog-server/core"

/** A storage in use, and how to let go of what was opened for it. */
export interface OpenStorage {
  readonly backend: Backend
  readonly close: () => Promise<void>
}

/** How to open each storage that `--storage` can name. */
export const storages = {
  memory: async () => ({ backend: memoryBackend(), close: async () => {} })
} satisfies Record<string, () => Promise<OpenStorage>>
