import type { StorageError, SurvivingEvents } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import { sql } from "kysely"
import { attempt, type Database } from "../database/Database.ts"
import { chunksOf, toNumber } from "../database/values.ts"
import type { BucketEnd, LastRow, Span } from "../dialects/BucketEnds.ts"
import type { Beginning } from "./findBeginning.ts"

const operation = "FeedStore.survivors"

/** What the survivors of a store are looked for by. */
export interface Search extends Beginning {
  readonly database: Database
  /** No id of the beginning is greater. */
  readonly toId: Buffer
  readonly groups: ReadonlyArray<SurvivingEvents>
}

/** Where a survivor is, what it weighs, and by whose last sequence it comes. */
export interface Place {
  readonly sequence: number
  readonly bytes: number
  /** That of all entries of the same primary key and group. */
  readonly key: { last: number }
}

/** A bucket that has entries in the beginning. */
interface Bucket extends Pick<LastRow, "event" | "primary_key"> {
  readonly bucket: Buffer
  /** The sequence of its last entry there, and what that weighs. */
  readonly sequence: number
  readonly bytes: number
}

/** A group of events, and the last sequence of each primary key so far. */
interface Group extends Pick<SurvivingEvents, "by"> {
  readonly keys: Map<string, { last: number }>
}

const everyId = Buffer.alloc(0)

const toBucket = ({ bucket, sequence, ...row }: LastRow): Bucket => ({
  ...row,
  bucket: Buffer.from(bucket),
  sequence: toNumber(sequence)
})

/** The buckets with their last entries up to the beginning's end, in the order of a column. Those that have none there are left out. */
const findEnds = Effect.fnUntraced(function* (
  { database, store, toId, toSequence }: Search,
  column: BucketEnd["column"],
  buckets: ReadonlyArray<Bucket>
): Effect.fn.Return<ReadonlyArray<Bucket>, StorageError> {
  const { connection, dialect, tables } = database
  const select = dialect.buckets.ends.selectLast(tables.entries, sql`${store}`, { column, toId })
  const found: Array<Bucket> = []
  for (const chunk of chunksOf(buckets, dialect.buckets.maxProbes)) {
    const bounds = { fromSequence: 1, toSequence, afterId: everyId, maxTransportOnly: 1 }
    const probes = chunk.map(({ bucket }) => ({ bucket, ...bounds }))
    const statement = dialect.buckets.findPlaces(tables.entries, sql`${store}`, probes, select)
    const { rows } = yield* attempt(database, operation, () => statement.execute(connection))
    for (const { bytes, probe, sequence } of rows) {
      const bucket = chunk[Number(probe)]
      if (bucket !== undefined) found.push({ ...bucket, sequence: toNumber(sequence), bytes })
    }
  }
  return found
})

/** The buckets that have entries in the beginning, with the last of each there. */
const findBuckets = Effect.fnUntraced(function* (
  search: Search,
  lasts: ReadonlyArray<LastRow>
): Effect.fn.Return<ReadonlyArray<Bucket>, StorageError> {
  const buckets = lasts.map(toBucket)
  const beyond = buckets.filter(({ sequence }) => sequence > search.toSequence)
  const within = buckets.filter(({ sequence }) => sequence <= search.toSequence)
  return beyond.length === 0 ? within : [...within, ...(yield* findEnds(search, "sequence", beyond))]
})

/** Raises the last sequence of the bucket's primary key, and returns it. */
const keyOf = ({ keys }: Group, { primary_key, sequence }: Bucket): { last: number } => {
  const key = keys.get(primary_key) ?? { last: 0 }
  keys.set(primary_key, key)
  key.last = Math.max(key.last, sequence)
  return key
}

/** The places of the survivors of buckets; `undefined` where a bucket is of an event that is in no group. */
const findPlaces = Effect.fnUntraced(function* (
  search: Search,
  groups: ReadonlyMap<string, Group>,
  lasts: ReadonlyArray<LastRow>
): Effect.fn.Return<ReadonlyArray<Place> | undefined, StorageError> {
  const buckets = yield* findBuckets(search, lasts)
  if (buckets.some(({ event }) => !groups.has(event))) return undefined
  const groupOf = ({ event }: Bucket) => groups.get(event)!
  const keys = new Map(buckets.map((bucket) => [bucket.bucket.toString("latin1"), keyOf(groupOf(bucket), bucket)]))
  const bySequence = buckets.filter((bucket) => groupOf(bucket).by === "sequence")
  const byId = buckets.filter((bucket) => groupOf(bucket).by === "id")
  return [...bySequence, ...(yield* findEnds(search, "entry_id", byId))].map(({ bucket, bytes, sequence }) => ({
    sequence,
    bytes,
    key: keys.get(bucket.toString("latin1"))!
  }))
})

const everyBucket: Span = { first: Buffer.alloc(16), last: Buffer.alloc(16, 0xff) }

const groupsOf = (groups: ReadonlyArray<SurvivingEvents>): ReadonlyMap<string, Group> =>
  new Map(
    groups.flatMap(({ by, events }) => {
      const group: Group = { by, keys: new Map() }
      return events.map((event) => [event, group] as const)
    })
  )

/**
 * The places of all survivors of a beginning in their order; `undefined` where an entry of another event lies in it. Their names
 * are held until all are found, and no payload.
 */
export const findSurvivors = Effect.fnUntraced(function* (
  search: Search
): Effect.fn.Return<ReadonlyArray<Place> | undefined, StorageError> {
  const { database, store } = search
  const groups = groupsOf(search.groups)
  const places: Array<Place> = []
  for (let spans: ReadonlyArray<Span> = [everyBucket]; spans.length > 0; ) {
    const { lasts, rest } = yield* attempt(database, operation, () =>
      database.dialect.buckets.ends.findLasts(database, store, spans)
    )
    const found = yield* findPlaces(search, groups, lasts)
    if (found === undefined) return undefined
    for (const place of found) places.push(place)
    spans = rest
  }
  return places.sort((a, b) => a.key.last - b.key.last || a.sequence - b.sequence)
})
