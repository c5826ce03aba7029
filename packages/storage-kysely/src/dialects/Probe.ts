import type { RawBuilder } from "kysely"
import type { BigInteger } from "../schema/tables.ts"

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
