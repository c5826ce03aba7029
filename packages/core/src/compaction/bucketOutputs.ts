import { type Context, type Duration, Effect, Exit } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { FeedEntry, FeedStore, PageLimits } from "../backend/FeedStore.ts"
import type { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { entryBytes } from "../wire/fields.ts"
import type { Compactor, Compactors, LastBy } from "./compactors.ts"
import { lastEntries } from "./lastEntries.ts"
import { compactedEntries } from "./metrics.ts"
import { compactBucket, runCompactor } from "./outputs.ts"
import type { EligibleBucket } from "./plan.ts"

type Entry = EventJournal.Entry

/** What is held of a bucket, and for how long a compactor may work on it. */
export interface BucketLimits {
  /** One page of a bucket. */
  readonly page: PageLimits
  /** What may be held of a bucket. One with more is compacted in steps; if that doesn't help, it is sent unchanged. */
  readonly bucket: PageLimits
  /** How long a compactor may take for one bucket. */
  readonly timeout: Duration.Duration
}

const kinds = ["id", "sequence"] satisfies ReadonlyArray<LastBy>

/**
 * What was read of several buckets at once: of one whose compactor needs no others the last entries, of any other the first
 * page of all.
 */
export type ReadAhead = ReadonlyMap<EligibleBucket, ReadonlyArray<FeedEntry>>

/** Reads the eligible entries of buckets, and compacts them. */
export class BucketOutputs {
  private readonly store: FeedStore["Service"]
  private readonly storeId: StoreId
  private readonly compactors: Compactors
  private readonly limits: BucketLimits
  private readonly context: Context.Context<never>

  constructor(options: {
    readonly store: FeedStore["Service"]
    readonly storeId: StoreId
    readonly compactors: Compactors
    readonly limits: BucketLimits
    readonly context: Context.Context<never>
  }) {
    this.store = options.store
    this.storeId = options.storeId
    this.compactors = options.compactors
    this.limits = options.limits
    this.context = options.context
  }

  /** One page of a bucket's eligible entries. @param ahead what was read of it */
  page(bucket: EligibleBucket, from: number, ahead: ReadAhead): Effect.Effect<ReadonlyArray<FeedEntry>, StorageError> {
    const known =
      from === bucket.range.fromSequence && this.lastBy(bucket) === undefined ? ahead.get(bucket) : undefined
    if (known !== undefined) return Effect.succeed(known)
    return Effect.map(this.pagesFrom([bucket], from, this.limits.page.maxBytes), ([entries = []]) => entries)
  }

  /**
   * Reads what is needed of buckets: of as many, from the first on, as fit what may be held of a bucket. The next ones are
   * asked for when those were compacted.
   */
  readonly readAhead = Effect.fnUntraced(function* (
    this: BucketOutputs,
    buckets: ReadonlyArray<EligibleBucket>
  ): Effect.fn.Return<ReadAhead, StorageError> {
    const found = new Map<EligibleBucket, ReadonlyArray<FeedEntry>>()
    const maxBytes = this.limits.bucket.maxBytes / (kinds.length + 1)
    for (const by of kinds) {
      const some = buckets.filter((bucket) => this.lastBy(bucket) === by)
      const last = yield* lastEntries(this.store, this.storeId, some, { by, maxBytes })
      for (const [bucket, entries] of last) found.set(bucket, entries)
    }
    const whole = buckets.filter((bucket) => this.lastBy(bucket) === undefined)
    const pages = yield* this.pagesFrom(whole, 1, maxBytes)
    for (const [index, page] of pages.entries()) found.set(whole[index]!, page)
    return found
  })

  /** A page of each bucket, from a sequence on; of as many, from the first on, as fit. */
  private pagesFrom(buckets: ReadonlyArray<EligibleBucket>, from: number, maxTotalBytes: number) {
    if (buckets.length === 0) return Effect.succeed([])
    const ranges = buckets.map(({ last, range }) => ({ ...range, fromSequence: from, toSequence: last }))
    return this.store.bucket(this.storeId, ranges, { order: "sequence", ...this.limits.page, maxTotalBytes })
  }

  /** By what an entry is the last, where the bucket's compactor needs no others. */
  lastBy({ group }: EligibleBucket): LastBy | undefined {
    return this.compactors.covering(group)?.needsOnlyLastBy
  }

  /**
   * What the bucket's eligible entries are compacted to, or `undefined` when they are sent as they are: when no compactor
   * covers them, or when what is left of them is more than may be held.
   */
  readonly of = Effect.fnUntraced(function* (
    this: BucketOutputs,
    bucket: EligibleBucket,
    ahead: ReadAhead
  ): Effect.fn.Return<ReadonlyArray<Entry> | undefined, StorageError> {
    const compactor = this.compactors.covering(bucket.group)
    if (compactor === undefined) return undefined
    const last = this.lastBy(bucket) === undefined ? undefined : ahead.get(bucket)
    const outputs = last && (yield* this.ofLast(compactor, last))
    return outputs === undefined ? yield* this.ofAll(compactor, bucket, ahead) : outputs
  })

  /** `undefined` where the compactor failed on them: then it is given all, and what is said of a failure holds. */
  private readonly ofLast = Effect.fnUntraced(function* (
    this: BucketOutputs,
    compactor: Compactor,
    last: ReadonlyArray<FeedEntry>
  ): Effect.fn.Return<ReadonlyArray<Entry> | undefined> {
    const { storeId } = this
    const { timeout } = this.limits
    const entries = last.map(({ entry }) => entry)
    const outputs = yield* Effect.exit(runCompactor({ compactor, storeId, entries, timeout }))
    if (Exit.isFailure(outputs)) return undefined
    compactedEntries.updateUnsafe(entries.length, this.context)
    return outputs.value
  })

  /**
   * A bucket that is more than may be held is compacted in steps: what a step put out is compacted again, together with
   * what follows. Sending such a bucket as it is would hand a device entries that it was spared while the bucket was
   * smaller, after those that superseded them.
   */
  private readonly ofAll = Effect.fnUntraced(function* (
    this: BucketOutputs,
    compactor: Compactor,
    bucket: EligibleBucket,
    ahead: ReadAhead
  ): Effect.fn.Return<ReadonlyArray<Entry> | undefined, StorageError> {
    const { bucket: limits, timeout } = this.limits
    const { storeId } = this
    const compact = (entries: ReadonlyArray<Entry>) => compactBucket({ compactor, storeId, entries, timeout })
    let held: ReadonlyArray<Entry> = []
    for (let from = bucket.range.fromSequence; from <= bucket.last; ) {
      const part = yield* this.page(bucket, from, ahead)
      compactedEntries.updateUnsafe(part.length, this.context)
      held = [...held, ...part.map(({ entry }) => entry)]
      if (exceeds(held, limits)) held = yield* compact(held)
      if (exceeds(held, limits)) return undefined
      from = (part[part.length - 1]?.remoteSequence ?? bucket.last) + 1
    }
    return yield* compact(held)
  })
}

const exceeds = (entries: ReadonlyArray<Entry>, { maxBytes, maxEntries }: PageLimits): boolean =>
  entries.length > maxEntries || entries.reduce((sum, entry) => sum + entryBytes(entry), 0) > maxBytes
