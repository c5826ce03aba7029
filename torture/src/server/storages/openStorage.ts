import type { Backend } from "@eventlog-server/core"

/** A projection that is written in the transaction that moves the cursor. */
export interface Projection {
  /** Adds an entry, in a handler's transaction. */
  readonly add: (transaction: unknown, storeId: string, id: string) => Promise<unknown>
  /** Empties that of a store, in a transaction. */
  readonly clear: (transaction: unknown, storeId: string) => Promise<unknown>
  /** The ids that the projection of a store holds, in the order in which they were added. */
  readonly read: (storeId: string) => Promise<ReadonlyArray<string>>
}

/** A storage in use by a server program. */
export interface OpenStorage {
  readonly backend: Backend<unknown>
  /** Absent where handlers have no transaction. */
  readonly projection?: Projection | undefined
  /** Lets the storage run out of room, or gives it room again. */
  readonly setFull?: ((isFull: boolean) => void) | undefined
  readonly close: () => Promise<void>
}

/** How to open a storage. @param isTransactional whether handlers share the cursor's transaction, where they can */
export type Open = (address: string, isTransactional: boolean) => Promise<OpenStorage>

/** How long a server that died keeps the others from its stores, in milliseconds. */
export const leaseTime = 3_000
