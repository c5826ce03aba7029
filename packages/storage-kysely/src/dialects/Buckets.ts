import type { RawBuilder } from "kysely"
import type { BucketEnds } from "./BucketEnds.ts"
import type { BucketIndex, PlaceRow, Probe, ProbeSql, SelectPlaces } from "./Probe.ts"

/** A part of a select that reads along an index. */
export interface Scan {
  /** Which entries are of the probe's bucket, and within its sequences and ids. */
  readonly condition: RawBuilder<unknown>
  /** The order of the index. */
  readonly order: RawBuilder<unknown>
}

/** How the entries of many buckets are found in few statements. */
export interface Buckets {
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
  readonly scan: (index: BucketIndex, probe: ProbeSql) => Scan
  /** Selects the entries of a store that have these sequences, in any order, each by a look into the primary key. */
  readonly selectAt: <Row>(
    columns: RawBuilder<Row>,
    entries: RawBuilder<unknown>,
    store: RawBuilder<unknown>,
    sequences: ReadonlyArray<number>
  ) => RawBuilder<Row>
  /** How all buckets of a store are found by their last entries. */
  readonly ends: BucketEnds
}
