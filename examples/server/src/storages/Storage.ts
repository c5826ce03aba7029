import type { Backend } from "@eventlog-server/core"

/** A storage in use, and how to let go of what was opened for it. */
export interface OpenStorage {
  readonly backend: Backend
  readonly close: () => Promise<void>
}

/** What the command line says about the storage. */
export interface StorageFlags {
  /** Where it is; "" for a storage that needs none. */
  readonly url: string
  /** Whether to listen for what other processes write, where the storage can. */
  readonly listen: boolean
}

/** A storage that `--storage` can name. */
export interface StorageKind {
  /** What `--url` has to be, for the usage; `undefined` where none is needed. */
  readonly url?: string
  readonly open: (flags: StorageFlags) => Promise<OpenStorage>
}
