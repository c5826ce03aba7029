import type { AccessChange, AccessListeners } from "@eventlog-server/core/backend"
import type { RawBuilder } from "kysely"

/** Who hears on this node that the access of keys changed, and how others do. */
export interface AccessNotes {
  readonly listeners: AccessListeners
  /**
   * The statement that tells other processes of a change of this one, in the transaction that makes it; `undefined` where
   * they look.
   */
  readonly notify?: ((publicKey: string) => RawBuilder<unknown>) | undefined
}

/** PostgreSQL refuses payloads of 8,000 bytes. */
const maxPayloadBytes = 7_999

/** The channel of notes about keys, beside that of a node's stores. */
export const accessChannelOf = (channel: string): string => `${channel}_keys`

/** A note about a key, as it is sent. */
export const payloadOf = (publicKey: string): string =>
  Buffer.byteLength(publicKey) > maxPayloadBytes ? "" : publicKey

/** A note about a key, as it is received. */
export const changeOf = (payload: string): AccessChange => (payload === "" ? "any" : { publicKey: payload })
