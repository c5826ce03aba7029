import { Effect } from "effect"
import type { BucketRange, FeedEntry, FeedStore } from "../backend/FeedStore.ts"
import type { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { CompactionGroup } from "../backend/StoreProgress.ts"

/** The eligible entries of one bucket: those of a group's events with one primary key, up to `toSequence`. */
export interface EligibleBucket {
  readonly group: CompactionGroup
  readonly range: BucketRange
  /** The sequence of its last eligible entry, which all of its outputs carry. */
  readonly last: number
}

/** For each eligible entry of a page, its bucket. Entries that aren't in here are sent as they are. */
export type Plan = ReadonlyMap<FeedEntry, EligibleBucket>

/** Finds the group of an event. */
export const groupsByEvent = (groups: ReadonlyArray<CompactionGroup>): ReadonlyMap<string, CompactionGroup> =>
  new Map(groups.flatMap((group) => group.events.map((event) => [event, group] as const)))

/** The greatest id of a millisecond: ids after it belong to entries that are younger. */
export const lastIdOf = (millis: number): Uint8Array => {
  const id = new Uint8Array(16).fill(0xff)
  new DataView(id.buffer).setUint16(0, Math.floor(millis / 2 ** 32))
  new DataView(id.buffer).setUint32(2, millis % 2 ** 32)
  return id
}

/** A bucket whose eligible entries are not known yet: up to the head it may have younger ones. */
interface Candidate {
  readonly group: CompactionGroup
  readonly range: BucketRange
}

/** Buckets that are remembered: what they take stays far below a page and a bucket. */
const maxKnown = 10_000

/**
 * Decides what of a history is eligible: a bucket's entries up to the head and before, by sequence, its first entry that is
 * younger than the cut-off. By age alone, an old offline write that arrives late would carry the output past newer
 * entries and undo them.
 *
 * The feed up to the head and the cut-offs don't change any more, so a bucket that comes again on a later page is not
 * looked up again.
 */
export class Planner {
  private readonly store: FeedStore["Service"]
  private readonly storeId: StoreId
  private readonly groups: ReadonlyMap<string, CompactionGroup>
  private readonly head: number
  /** By group and primary key; `undefined` for a bucket that has no eligible entry. */
  private readonly known = new Map<CompactionGroup, Map<string, EligibleBucket | undefined>>()
  private count = 0

  constructor(
    store: FeedStore["Service"],
    storeId: StoreId,
    groups: ReadonlyMap<string, CompactionGroup>,
    head: number
  ) {
    this.store = store
    this.storeId = storeId
    this.groups = groups
    this.head = head
  }

  readonly plan = Effect.fnUntraced(function* (
    this: Planner,
    page: ReadonlyArray<FeedEntry>
  ): Effect.fn.Return<Plan, StorageError> {
    if (this.count > maxKnown) this.forget()
    const unknown = this.unknownOf(page)
    if (unknown.length > 0) yield* this.lookUp(unknown)
    const plan = new Map<FeedEntry, EligibleBucket>()
    for (const entry of page) {
      const group = this.groupOf(entry)
      const bucket = group && this.known.get(group)?.get(entry.entry.primaryKey)
      if (bucket !== undefined && entry.remoteSequence <= bucket.last) plan.set(entry, bucket)
    }
    return plan
  })

  /** Whether an entry is known to have no place in the output: it is eligible, and not the last one of its bucket. */
  isLeftOut({ entry, remoteSequence }: FeedEntry): boolean {
    const group = this.groups.get(entry.event)
    const bucket = group && this.known.get(group)?.get(entry.primaryKey)
    return bucket !== undefined && remoteSequence < bucket.last
  }

  /** The group of an entry that is old enough for it. */
  private groupOf({ entry }: FeedEntry): CompactionGroup | undefined {
    const group = this.groups.get(entry.event)
    return group !== undefined && entry.createdAtMillis <= group.cutoff ? group : undefined
  }

  /** The buckets of a page's old entries that were not looked up yet, each once. */
  private unknownOf(page: ReadonlyArray<FeedEntry>): ReadonlyArray<Candidate> {
    const unknown: Array<Candidate> = []
    for (const entry of page) {
      const group = this.groupOf(entry)
      if (group === undefined || this.isKnown(group, entry.entry.primaryKey)) continue
      const { primaryKey } = entry.entry
      this.learn(group, primaryKey, undefined)
      unknown.push({ group, range: { events: group.events, primaryKey, fromSequence: 1, toSequence: this.head } })
    }
    return unknown
  }

  private readonly lookUp = Effect.fnUntraced(function* (
    this: Planner,
    candidates: ReadonlyArray<Candidate>
  ): Effect.fn.Return<void, StorageError> {
    const young = yield* this.store.bucketBounds(
      this.storeId,
      candidates.map(({ group, range }) => ({ ...range, afterId: lastIdOf(group.cutoff) }))
    )
    const ranges = candidates.map(({ range }, index) => ({
      ...range,
      toSequence: Math.min(range.toSequence, (young[index]?.first ?? Number.POSITIVE_INFINITY) - 1)
    }))
    const bounds = yield* this.store.bucketBounds(this.storeId, ranges)
    for (const [index, { group }] of candidates.entries()) {
      const range = ranges[index]!
      const last = bounds[index]?.last
      if (last !== undefined) this.learn(group, range.primaryKey, { group, range, last })
    }
  })

  private isKnown(group: CompactionGroup, primaryKey: string): boolean {
    return this.known.get(group)?.has(primaryKey) === true
  }

  private learn(group: CompactionGroup, primaryKey: string, bucket: EligibleBucket | undefined): void {
    const ofGroup = this.known.get(group) ?? new Map<string, EligibleBucket | undefined>()
    this.known.set(group, ofGroup)
    if (!ofGroup.has(primaryKey)) this.count++
    ofGroup.set(primaryKey, bucket)
  }

  private forget(): void {
    this.known.clear()
    this.count = 0
  }
}
