import type { BucketRange, StorageError } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import type { RawBuilder } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { chunksOf, toBuffer } from "../database/values.ts"
import type { Probe } from "../dialects/Probe.ts"
import { bucketOf } from "./newEntries.ts"

const everyId = Buffer.alloc(0)

/** A range has a probe for each of its events. */
const probesOf = (range: BucketRange): ReadonlyArray<Probe> =>
  Array.from(new Set(range.events), (event) => ({
    bucket: bucketOf(event, range.primaryKey),
    fromSequence: range.fromSequence,
    toSequence: range.toSequence,
    afterId: range.afterId === undefined ? everyId : toBuffer(range.afterId),
    maxTransportOnly: range.replayableOnly ? 0 : 1
  }))

/** A row that a select put out for a probe. */
export interface ProbeRow {
  /** The probe's index. */
  readonly probe: number
}

/** What a statement finds for each range, all of the range's events together, in few statements. */
export const findInRanges = Effect.fnUntraced(function* <Row extends ProbeRow, A>(
  database: Database,
  operation: string,
  ranges: ReadonlyArray<BucketRange>,
  statementFor: (probes: ReadonlyArray<Probe>) => RawBuilder<Row>,
  decode: (row: Row) => A
): Effect.fn.Return<ReadonlyArray<ReadonlyArray<A>>, StorageError> {
  const { connection, dialect } = database
  const found = ranges.map((): Array<A> => [])
  const probes = ranges.flatMap((range, index) => probesOf(range).map((probe) => ({ index, probe })))
  for (const chunk of chunksOf(probes, dialect.buckets.maxProbes)) {
    const statement = statementFor(chunk.map(({ probe }) => probe))
    const rows = yield* attempt(database, operation, async () => {
      const { rows } = await statement.execute(connection)
      return rows.map((row) => ({ index: chunk[Number(row.probe)]?.index, value: decode(row) }))
    })
    for (const { index, value } of rows) if (index !== undefined) found[index]?.push(value)
  }
  return found
})
