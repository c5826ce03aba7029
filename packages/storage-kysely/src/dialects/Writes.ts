import type { KnownEntry, StoreId } from "@eventlog-server/core/backend"
import type { RawBuilder } from "kysely"
import type { RunTarget } from "../database/Target.ts"

/** An entry on its way into a store. */
export interface NewEntry {
  /** 16 bytes. */
  readonly id: Buffer
  /** 16 bytes. */
  readonly bucket: Buffer
  readonly event: string
  readonly primaryKey: string
  readonly author: string | null
  readonly transportOnly: 0 | 1
  /** What it weighs against the limits of a page. */
  readonly bytes: number
  readonly payload: Buffer
}

/** Entries on their way into a store. All ids differ. */
export interface StoreAppend {
  readonly storeId: StoreId
  readonly entries: ReadonlyArray<NewEntry>
  /** An entry that the feed has to hold where it was, or nothing is inserted. */
  readonly known?: KnownEntry | undefined
}

/** The sequences that an append gave away. */
export interface Inserted {
  readonly last: number
  readonly count: number
}

/** The values of a row, by the names of its columns. */
export type NewRow = Readonly<Record<string, RawBuilder<unknown> | string | number | Uint8Array | null>>

/** Rows that come into a table, or over those that are there. */
export interface Upsert {
  readonly rows: ReadonlyArray<NewRow>
  /** The columns of the primary key. */
  readonly key: ReadonlyArray<string>
  /** Columns that a row that is there keeps. */
  readonly kept: ReadonlyArray<string>
  /** Columns that a row that is there counts up. */
  readonly counted: ReadonlyArray<string>
}

/** How rows come into the tables, and how others learn of it. No statement that writes or tells begins with `select`. */
export interface Writes {
  /** An `insert` of one row that does nothing where its key is taken. */
  readonly insertNew: (table: RawBuilder<unknown>, row: NewRow) => RawBuilder<unknown>
  /** An `insert` of rows, all of which have the same columns and different keys; a row that is there is overwritten. */
  readonly upsert: (table: RawBuilder<unknown>, upsert: Upsert) => RawBuilder<unknown>
  /**
   * Gives the entries that the store doesn't have the next sequences, in their order, and inserts them: in one atomic
   * step, behind every other append of the store. Returns `undefined` where it inserted nothing: for want of new entries,
   * of a store that isn't erased, or of the known entry.
   */
  readonly append: (target: RunTarget, added: StoreAppend) => Promise<Inserted | undefined>
  /** Tells all processes that listen to a channel. Without it they have to look. */
  readonly notify?: ((channel: string, payloads: ReadonlyArray<string>) => RawBuilder<unknown>) | undefined
}
