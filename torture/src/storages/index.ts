import { openMemory } from "./memory.ts"
import type { OpenStorage } from "./storage.ts"

/** How to start each storage that `--storage` can name. */
export const storages = { memory: openMemory } satisfies Record<string, OpenStorage>
