import { type Backend, memoryBackend } from "@eventlog-server/core"

/** A storage in use by a server program. */
export interface OpenStorage {
  readonly backend: Backend
  /** The ids that a transactional projection of a store holds, in order; absent where handlers have no transaction. */
  readonly projection?: ((storeId: string) => Promise<ReadonlyArray<string>>) | undefined
  /** Lets the storage run out of room, or gives it room again. */
  readonly setFull?: ((isFull: boolean) => void) | undefined
  readonly close: () => Promise<void>
}

/** Opens each storage that `--storage` can name, at an address. */
export const storages: Readonly<Record<string, (address: string) => Promise<OpenStorage>>> = {
  memory: async () => ({ backend: memoryBackend(), close: async () => {} })
}
