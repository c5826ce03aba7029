import type { KnownEntry } from "@eventlog-server/core/backend"
import { type RawBuilder, sql } from "kysely"
import type { Tables } from "../schema/tables.ts"
import { toBuffer } from "./values.ts"

/** The condition, behind others, that the backend's id is that of a known entry's history. */
export const inHistory = ({ identity }: Tables, known: KnownEntry | undefined): RawBuilder<unknown> =>
  known?.remoteId === undefined
    ? sql``
    : sql`and (select remote_id from ${identity} where id = 1) = ${toBuffer(known.remoteId)}`

/**
 * The condition that a store's feed holds an entry where it was, in its history.
 *
 * @param store what the other tables call the store
 */
export const holds = (tables: Tables, store: RawBuilder<unknown>, known: KnownEntry): RawBuilder<boolean> =>
  sql`(select entry_id from ${tables.entries} where store = ${store} and sequence = ${known.sequence})
    = ${toBuffer(known.id)} ${inHistory(tables, known)}`

/**
 * Selects what stands where a known entry was, and nothing in another history. It depends on nothing around it, so it is
 * looked for once.
 */
export const selectKnown = (
  tables: Tables,
  storeId: string,
  known: KnownEntry | undefined
): RawBuilder<Uint8Array | null> =>
  known === undefined
    ? sql`null`
    : sql`(select entry_id from ${tables.entries}
        where store = (select id from ${tables.stores} where store_id = ${storeId}) and sequence = ${known.sequence}
        ${inHistory(tables, known)})`

/**
 * Selects what stands where the entry of a row was, in its history: of a row that has `known_sequence`, and
 * `known_remote_id` or null.
 *
 * @param store what the other tables call the store
 */
export const selectKnownOfRow = ({ entries, identity }: Tables, store: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  select entry_id from ${entries} where store = ${store} and sequence = known_sequence
  and (known_remote_id is null or (select remote_id from ${identity} where id = 1) = known_remote_id)`

/** Whether what was found where a known entry was is that entry; always where none is known. */
export const isHeld = (known: KnownEntry | undefined, found: Uint8Array | null | undefined): boolean =>
  known === undefined || (found !== null && found !== undefined && toBuffer(found).equals(known.id))
