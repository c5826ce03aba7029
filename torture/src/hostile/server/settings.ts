import type { Limits } from "@eventlog-server/core"
import type { adapters } from "./adapters.ts"

/** The framework that the server is mounted in. */
export type Adapter = keyof typeof adapters

/** What the server under attack is started with, as JSON. */
export interface ServerSettings {
  readonly adapter: Adapter
  readonly port: number
  /** A name of `storages`. */
  readonly storage: string
  /** Where the storage is. */
  readonly address: string
  /** Limits other than the defaults. */
  readonly limits: Partial<Limits>
  /** Milliseconds; each has the server's own default. */
  readonly reauthorizeInterval?: number | undefined
  readonly handlerTimeout?: number | undefined
  readonly authTimeout?: number | undefined
  /** How long each append takes longer than it would, in milliseconds. */
  readonly appendDelay: number
}

/** What the process had at a moment, in bytes. */
export interface Memory {
  readonly heap: number
  /** Outside of the heap, such as the bytes of buffers. */
  readonly external: number
  readonly rss: number
}

/** What the process went through since `begin`. */
export interface Measured {
  /** After a garbage collection. */
  readonly before: Memory
  /** The most that was seen; of `rss` the kernel tells the true peak. */
  readonly peak: Memory
  /** After a garbage collection now. */
  readonly held: Memory
  /** The longest time that the event loop did not turn, in milliseconds. */
  readonly loopMillis: number
  /** Sockets that the process has open now. */
  readonly sockets: number
}

/** What the server under attack can be told. */
export interface ServerCommands {
  readonly begin: () => Promise<void>
  readonly measure: () => Promise<Measured>
  readonly remove: (publicKey: string) => Promise<void>
  /** Writes an entry with a handler that succeeds, and resolves with the milliseconds until it was handled. */
  readonly handled: (storeId: string) => Promise<number>
  /** The ids of a store's entries, in hexadecimal. */
  readonly ids: (storeId: string) => Promise<ReadonlyArray<string>>
  /** From now on `auth.read` of keys that begin with `hang` never settles. */
  readonly hangReads: () => Promise<void>
}
