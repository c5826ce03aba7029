import type { FailureReason } from "@eventlog-server/core/backend"
import { type RawBuilder, sql } from "kysely"

/** What a driver makes of a column of 64 bits: pg answers text, PGlite a number or a bigint, others a number. */
export type BigInteger = number | string | bigint

/** A store: its head, its tombstone, and how far its entries were processed. */
export interface StoreRow {
  /** What the other tables call the store. */
  readonly id: number
  readonly store_id: string
  /** The last sequence of the feed; 0 before the first. */
  readonly head: BigInteger
  /** 1 when the store was erased. */
  readonly erased: number
  /** The last sequence that handlers passed; 0 before the first. */
  readonly processed: BigInteger
  /** How far the store was processed before its cursor was last rewound; 0 where it never was. */
  readonly replay_to: BigInteger
  /** Where the cursor is to be rewound to; `null` where nobody wants that. */
  readonly rewind_to: BigInteger | null
  /** The token of whoever holds the processing lease: the fence. */
  readonly lease_holder: string | null
  /** When the lease runs out, in milliseconds since the epoch, by the database's clock. */
  readonly lease_until: BigInteger
}

/** A committed entry. */
export interface EntryRow {
  /** `StoreRow.id`. */
  readonly store: number
  readonly sequence: BigInteger
  /** 16 bytes. */
  readonly entry_id: Uint8Array
  /** The first 16 bytes of SHA-256 of event, U+0000 and primary key in UTF-8: what buckets are found by. */
  readonly bucket: Uint8Array
  readonly event: string
  readonly primary_key: string
  /** The public key of the device that wrote it; `null` for the server. */
  readonly author: string | null
  /** 1 where handlers don't see it. */
  readonly transport_only: number
  /** What the entry weighs against the limits of a page. */
  readonly bytes: number
  readonly payload: Uint8Array
}

/** A compaction group of a store. */
export interface GroupRow {
  /** `StoreRow.id`. */
  readonly store: number
  /** Counts the groups of a store from 1. */
  readonly place: number
  /** A JSON array of event names. */
  readonly events: string
  /** In milliseconds since the epoch. */
  readonly cutoff: BigInteger
}

/** An entry whose handler failed. */
export interface FailureRow {
  /** `StoreRow.id`. */
  readonly store: number
  readonly sequence: BigInteger
  /** 16 bytes. */
  readonly entry_id: Uint8Array
  readonly event: string
  readonly primary_key: string
  /** The public key of the device that wrote the entry; `null` for the server. */
  readonly author: string | null
  readonly reason: FailureReason
  readonly message: string
  /** How often it was recorded. */
  readonly attempts: number
  /** When it was recorded for the first and for the last time, in milliseconds since the epoch, by the database's clock. */
  readonly first_at: BigInteger
  readonly last_at: BigInteger
}

/** An entry whose handler failed and that is to be tried again. */
export interface RetryRow {
  /** `StoreRow.id`. */
  readonly store: number
  readonly sequence: BigInteger
}

/** A public key and its store. */
export interface KeyRow {
  readonly public_key: string
  readonly store_id: string
  /** Ed25519, 32 bytes; `null` before one was bound. */
  readonly signing_public_key: Uint8Array | null
  /** 1 when its access was ended. */
  readonly removed: number
  /** The number of the last change of its access; 0 before the first. */
  readonly access_change: BigInteger
}

/** The identity of the backend, and what there is once, in one row. */
export interface IdentityRow {
  /** 1: there is no other. */
  readonly id: number
  /** 16 bytes. */
  readonly remote_id: Uint8Array
  /** Counts the changes of what keys may do: removed, brought back, another signing key. */
  readonly access_changes: BigInteger
}

/** The rows of every table, by the table's name without its prefix. */
export interface EventLogTables {
  readonly stores: StoreRow
  readonly entries: EntryRow
  readonly groups: GroupRow
  readonly failures: FailureRow
  readonly retries: RetryRow
  readonly keys: KeyRow
  readonly identity: IdentityRow
}

/** The columns of every table. */
export const columnsOf: {
  readonly [Name in keyof EventLogTables]: ReadonlyArray<keyof EventLogTables[Name] & string>
} = {
  stores: ["id", "store_id", "head", "erased", "processed", "replay_to", "rewind_to", "lease_holder", "lease_until"],
  entries: [
    "store",
    "sequence",
    "entry_id",
    "bucket",
    "event",
    "primary_key",
    "author",
    "transport_only",
    "bytes",
    "payload"
  ],
  groups: ["store", "place", "events", "cutoff"],
  failures: [
    "store",
    "sequence",
    "entry_id",
    "event",
    "primary_key",
    "author",
    "reason",
    "message",
    "attempts",
    "first_at",
    "last_at"
  ],
  retries: ["store", "sequence"],
  keys: ["public_key", "store_id", "signing_public_key", "removed", "access_change"],
  identity: ["id", "remote_id", "access_changes"]
}

/** Where the tables are. */
export interface TableOptions {
  /** What the names of tables begin with: up to 32 letters, digits and `_`. @default "eventlog_" */
  readonly prefix?: string | undefined
  /** The schema that they are in. @default the one that the connection looks at first */
  readonly schema?: string | undefined
}

/** The names of the tables, ready to be put into SQL. */
export type Tables = { readonly [Name in keyof EventLogTables]: RawBuilder<EventLogTables[Name]> }

/** The prefix of table names; throws for one that can't be. */
export const prefixOf = ({ prefix = "eventlog_" }: TableOptions): string => {
  if (!/^\w{0,32}$/.test(prefix)) throw new Error(`Not a prefix for tables: "${prefix}"`)
  return prefix
}

/** The tables that the options name. */
export const tablesOf = (options: TableOptions): Tables => {
  const prefix = prefixOf(options)
  const { schema } = options
  const table = <Row>(name: keyof EventLogTables): RawBuilder<Row> =>
    schema === undefined ? sql.id(prefix + name) : sql.id(schema, prefix + name)
  return {
    stores: table("stores"),
    entries: table("entries"),
    groups: table("groups"),
    failures: table("failures"),
    retries: table("retries"),
    keys: table("keys"),
    identity: table("identity")
  }
}
