import type { RawBuilder } from "kysely"
import type { Target } from "../database/Target.ts"
import type { EntryRow } from "../schema/tables.ts"
import type { BucketIndex, SelectPlaces } from "./Probe.ts"

/** Buckets that lie beside one another in the index: from one to another, both of 16 bytes and included. */
export interface Span {
  readonly first: Buffer
  readonly last: Buffer
}

/** The entry of a bucket that has the greatest sequence, without its payload. */
export type LastRow = Pick<EntryRow, "bucket" | "sequence" | "event" | "primary_key" | "bytes">

/** The last entries of some buckets, and where other buckets may be. */
export interface FoundLasts {
  readonly lasts: ReadonlyArray<LastRow>
  readonly rest: ReadonlyArray<Span>
}

/** Which entry of a bucket is its last: that with the greatest sequence, or, of those with ids up to one, with the greatest id. */
export interface BucketEnd {
  readonly column: BucketIndex["column"]
  readonly toId: Buffer
}

/** How the ends of all buckets of a store are found, however many entries these have. */
export interface BucketEnds {
  /**
   * The last entries of some buckets of a store, named by what the other tables call it, that lie in spans: the step into the
   * index that finds a bucket has them, so it costs a row for each. Whoever goes on with the rest until there is none has every
   * bucket once.
   */
  readonly findLasts: (target: Target, store: number, spans: ReadonlyArray<Span>) => Promise<FoundLasts>
  /**
   * Selects the last entry that a probe's bucket has up to the probe's `toSequence`, whatever its other bounds. By `entry_id`
   * it may only be asked of a bucket that has one. It costs a row, and those that lie behind by the column and not by sequence.
   */
  readonly selectLast: (entries: RawBuilder<unknown>, store: RawBuilder<unknown>, end: BucketEnd) => SelectPlaces
}
