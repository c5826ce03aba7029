import type { ColumnDataType, Kysely, RawBuilder } from "kysely"
import type { BigInteger, Tables } from "../schema/tables.ts"

/** A handle that runs statements: the user's database, or a transaction on it. Its own tables don't matter here. */
export type Connection = Kysely<unknown>

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

/** Entries on their way into one of several stores. All ids differ. */
export interface StoreAppend {
  readonly storeId: string
  readonly entries: ReadonlyArray<NewEntry>
}

/** How far a store was processed, and by whom. */
export interface CursorMove {
  readonly storeId: string
  /** What the lease is held by. */
  readonly token: string
  readonly sequence: number
}

/** The page of a store that begins at a sequence, and what it may hold. */
export interface PageRange {
  readonly storeId: string
  readonly from: number
  readonly limits: { readonly maxEntries: number; readonly maxBytes: number }
}

/** The sequences that an append gave away. */
export interface Inserted {
  readonly last: number
  readonly count: number
}

/** One of many places in the index of buckets, to be looked at in one statement. */
export interface Probe {
  readonly bucket: Buffer
  readonly fromSequence: number
  readonly toSequence: number
  /** Only greater ids; no bytes at all for every id. */
  readonly afterId: Buffer
  /** 1 to find entries that are transport-only too, else 0. */
  readonly maxTransportOnly: number
}

/** The members of a `Probe` as SQL, each the value of the probe that a select is for, and the probe's index. */
export type ProbeSql = { readonly [Name in keyof Probe]: RawBuilder<Probe[Name]> } & {
  readonly index: RawBuilder<number>
}

/** Where an entry is that a probe found, and what it weighs against the limits. */
export interface PlaceRow {
  /** The probe's index. */
  readonly probe: number
  readonly sequence: BigInteger
  readonly entry_id: Uint8Array
  readonly bytes: number
}

/** Selects the given columns of the entries that a probe finds. */
export type SelectPlaces = <Row>(probe: ProbeSql, columns: RawBuilder<Row>) => RawBuilder<Row>

/** The index that a bucket's entries are read along, behind store and bucket, and from which end. */
export interface BucketIndex {
  readonly column: "sequence" | "entry_id"
  readonly direction: "asc" | "desc"
}

/** A part of a select that reads along an index. */
export interface Scan {
  /** Which entries are of the probe's bucket, and within its sequences and ids. */
  readonly condition: RawBuilder<unknown>
  /** The order of the index. */
  readonly order: RawBuilder<unknown>
}

type ColumnType = ColumnDataType | RawBuilder<unknown>

/** The types of columns, for migrations. */
export interface ColumnTypes {
  /** A number that the database counts up; it becomes the primary key. */
  readonly id: ColumnType
  /** Text of up to so many characters that is compared and ordered by its bytes, each of them. */
  readonly key: (characters: number) => ColumnType
  /** Text of any length. It is never compared. */
  readonly text: ColumnType
  /** 16 bytes, compared byte by byte. */
  readonly bytes16: ColumnType
  /** Bytes, as many as an entry may have. */
  readonly blob: ColumnType
}

/** What went wrong in a call of the database. */
export type Failure =
  /** Others were in the way (a deadlock, a write in between, a lock): the same may work at once. */
  | "Conflict"
  /** The database can't be reached, or can't serve for now. */
  | "Away"
  /** Nothing that a retry mends. */
  | "Broken"

/** Everything that differs between databases. The rest of the package doesn't know which one it runs on. */
export interface Dialect {
  readonly columns: ColumnTypes
  /** Makes an index of a table; does nothing where there is one of that name. */
  readonly createIndex: (
    connection: Connection,
    table: RawBuilder<unknown>,
    name: string,
    columns: ReadonlyArray<string>
  ) => Promise<unknown>
  /** What else the tables need when they are made, after them. */
  readonly complete?: ((connection: Connection, tables: Tables, prefix: string) => Promise<void>) | undefined
  /** Now, by the database's clock, in milliseconds since the epoch. */
  readonly now: RawBuilder<number>
  /** An `insert` of one row that does nothing where its key is taken. */
  readonly insertNew: (
    table: RawBuilder<unknown>,
    row: Readonly<Record<string, string | number | Uint8Array | null>>
  ) => RawBuilder<unknown>
  /**
   * Gives the entries that the store doesn't have the next sequences, in their order, and inserts them: in one atomic
   * step, behind every other append of the store. All ids differ. Answers `undefined` where it inserted nothing: for want
   * of new entries, or of a store that isn't erased.
   */
  readonly append: (
    connection: Connection,
    tables: Tables,
    storeId: string,
    entries: ReadonlyArray<NewEntry>
  ) => Promise<Inserted | undefined>
  /**
   * `append` for several stores in one atomic step, where the database can do that without waiting for anybody: it leaves
   * out stores whose rows somebody holds, and those that it inserts nothing into. Answers by the index of the store.
   */
  readonly appendToStores?:
    | ((
        connection: Connection,
        tables: Tables,
        appends: ReadonlyArray<StoreAppend>
      ) => Promise<ReadonlyMap<number, Inserted>>)
    | undefined
  /** Selects the entries of a store that have these sequences, in any order, each by a look into the primary key. */
  readonly selectAt: <Row>(
    columns: RawBuilder<Row>,
    entries: RawBuilder<unknown>,
    store: RawBuilder<unknown>,
    sequences: ReadonlyArray<number>
  ) => RawBuilder<Row>
  /**
   * Selects the pages of several stores, where the database can do that in one statement: for each entry the index of its
   * request, the store's head and tombstone, and the columns; a row without an entry where the page has none, and none at
   * all where there is no such store.
   */
  readonly selectPages?:
    | (<Row>(
        columns: RawBuilder<unknown>,
        tables: Tables,
        requests: ReadonlyArray<PageRange>
      ) => RawBuilder<Row & { readonly request: number }>)
    | undefined
  /**
   * Moves the cursors of several stores up, where the database can do that in one statement without waiting for anybody:
   * it leaves out stores whose rows somebody holds, and those whose lease was lost. Answers the indexes of what it moved.
   */
  readonly advanceAll?:
    | ((tables: Tables, moves: ReadonlyArray<CursorMove>) => RawBuilder<{ readonly move: number }>)
    | undefined
  /** How many probes a statement may have at most. */
  readonly maxProbes: number
  /** The row of a select without a `from`, for each probe; it puts out the probe's index too. */
  readonly forEachProbe: <Row>(
    probes: ReadonlyArray<Probe>,
    select: (probe: ProbeSql) => RawBuilder<Row>
  ) => RawBuilder<Row>
  /** Where the entries are that a select finds for each probe. It selects from the entries of one store, and has an order and a limit. */
  readonly findPlaces: (
    entries: RawBuilder<unknown>,
    store: RawBuilder<unknown>,
    probes: ReadonlyArray<Probe>,
    select: SelectPlaces
  ) => RawBuilder<PlaceRow>
  /**
   * How to say that a probe's bucket is read along an index, so that no other one is taken because it has the order too: a
   * look at a bucket may cost what the bucket holds at most, and not what the store holds.
   */
  readonly scanBucket: (index: BucketIndex, probe: ProbeSql) => Scan
  /** Whether the app's instance has one connection, which a transaction holds while it is open. */
  readonly singleConnection: boolean
  /**
   * The first statement of a transaction that handlers run in: sees to it that nothing in it waits for longer than a lease
   * lasts, or that it can write to the end.
   */
  readonly beginHandlers: (tables: Tables, storeId: string, leaseMillis: number) => RawBuilder<unknown>
  /** The last statement of such a transaction, before it is committed or rolled back. */
  readonly endHandlers?: RawBuilder<unknown> | undefined
  /** Tells the other processes that stores have changed. Without it they have to look. */
  readonly notify?: ((channel: string, storeIds: ReadonlyArray<string>) => RawBuilder<unknown>) | undefined
  readonly failureOf: (cause: unknown) => Failure
}
