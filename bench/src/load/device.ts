import type { Batches, EntryOptions } from "./entries.ts"

/** Where a device connects, and as whom. */
export interface Target {
  readonly url: string
  readonly storeId: string
  /** The key that it proves, where it is one of several. @default `publicKeyOf` the store */
  readonly publicKey?: string
  /** Ends the connection, also one that isn't open yet. @default none does */
  readonly signal?: AbortSignal
  /** Called when the server has begun to speak. */
  readonly onHello?: () => void
  /** Called when the connection ends by itself, or the server says that something failed. */
  readonly onFailure: (reason: string) => void
}

/** Entries that arrived together. */
export interface Delivery {
  readonly entries: number
  /** When the first of them was made, in microseconds of `performance.now`. */
  readonly madeAt: number
}

/** A connection of a load process. */
export interface Device {
  /** Writes a batch; they are acknowledged in the order of the calls. */
  readonly write: (batches: Batches, acknowledged: () => void) => void
  /** Subscribes to the store from a sequence on. */
  readonly subscribe: (from: number, deliver: (delivery: Delivery) => void) => void
  readonly close: () => void
}

/** How to speak with one kind of server. */
export interface Protocol {
  readonly open: (target: Target) => Promise<Device>
  readonly batches: (storeId: string, options: EntryOptions) => Batches
}

/** The key of the devices of a store: one is enough, and spares setting up thousands. */
export const publicKeyOf = (storeId: string): string => `key of ${storeId}`

/** The key of one device of a store, where each has its own. @param index from 0 */
export const deviceKeyOf = (storeId: string, index: number): string => `key ${index} of ${storeId}`
