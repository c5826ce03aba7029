import type { KnownEntry } from "@eventlog-server/core/backend"
import type { RawBuilder } from "kysely"
import type { RunTarget } from "../database/Target.ts"
import type { Tables } from "../schema/tables.ts"
import type { Inserted, StoreAppend } from "./Writes.ts"

/** The page of a store that begins at a sequence, what it may hold, and an entry that is known of the store. */
export interface PageRange {
  readonly storeId: string
  readonly from: number
  readonly limits: { readonly maxEntries: number; readonly maxBytes: number }
  readonly known: KnownEntry | undefined
}

/**
 * What is done for several stores in one statement, without waiting for anybody. Each names its results by the index of
 * what it was given.
 */
export interface AcrossStores {
  /**
   * `Writes.append` for several stores in one atomic step. Leaves out stores whose rows somebody holds, and those that it
   * inserts nothing into.
   */
  readonly append: (target: RunTarget, appends: ReadonlyArray<StoreAppend>) => Promise<ReadonlyMap<number, Inserted>>
  /**
   * Selects pages: for each row that `travelling` makes of a page's entries the index of its request, the store's head and
   * tombstone, and `known_id` for what stands where the known entry was; a row without an entry where the page has none, and
   * none at all where there is no such store.
   *
   * @param columns those of an entry
   * @param travelling makes of a select of entries one of what travels
   */
  readonly selectPages: <Row>(
    columns: RawBuilder<unknown>,
    tables: Tables,
    requests: ReadonlyArray<PageRange>,
    travelling: (entries: RawBuilder<unknown>) => RawBuilder<unknown>
  ) => RawBuilder<Row & { readonly request: number }>
}
