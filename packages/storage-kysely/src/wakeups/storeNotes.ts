import type { StoreId, Wakeup } from "@eventlog-server/core/backend"

/** What a node tells the others: that a store changed. */
export interface StoreNote extends Wakeup {
  /** The node that tells. */
  readonly node: string
  readonly storeId: StoreId
}

/**
 * The channel of these notes, beside that of nodes of the former version, which name nothing but the store. What is told on
 * one can't be mistaken for what is told on the other, whatever a store is called.
 */
export const notesChannelOf = (channel: string): string => `${channel}_stores`

/** A note about a store, as it is sent. A node's name has no spaces. */
export const payloadOf = ({ head, node, storeId }: StoreNote): string => `${node} ${head ?? ""} ${storeId}`

/** A note about a store, as it is received; `undefined` for something else. */
export const noteOf = (payload: string): StoreNote | undefined => {
  const [, node, head, storeId] = /^(\S+) (\d*) (.*)$/s.exec(payload) ?? []
  if (node === undefined) return undefined
  return { node, storeId: storeId as StoreId, head: head === "" ? undefined : Number(head) }
}
