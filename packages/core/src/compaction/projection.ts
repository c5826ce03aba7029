import { type Context, Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { FeedEntry, FeedStore, PageLimits } from "../backend/FeedStore.ts"
import type { StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { CompactionGroup } from "../backend/StoreProgress.ts"
import type { HistoryRequest } from "../feed/history.ts"
import type { Page } from "../feed/page.ts"
import { entryBytes } from "../wire/fields.ts"
import { type BucketLimits, BucketOutputs, type LastEntries } from "./bucketOutputs.ts"
import type { Compactors } from "./compactors.ts"
import { compactionOutputs } from "./metrics.ts"
import { cutRuns, PageBuilder } from "./pages.ts"
import { type EligibleBucket, groupsByEvent, Planner } from "./plan.ts"

/** How much of a history is compacted at a time. */
export interface ProjectionLimits extends BucketLimits {
  /** What may be sent of a bucket that must stay in one page. */
  readonly whole: PageLimits
}

type Failure = StorageError | StoreErasedError
type Emit = (page: Page) => Effect.Effect<void>

/**
 * One pass over a store's history: what isn't eligible goes out as it is; an eligible entry goes out only if it is its
 * bucket's last eligible one, and then as the bucket's outputs. It holds a page and a bucket, never the history.
 */
export class Projection {
  private readonly store: FeedStore["Service"]
  private readonly buckets: BucketOutputs
  private readonly limits: ProjectionLimits
  private readonly context: Context.Context<never>
  private readonly request: HistoryRequest
  private readonly planner: Planner
  private readonly pages: PageBuilder
  private readonly emit: Emit

  constructor(options: {
    readonly store: FeedStore["Service"]
    readonly compactors: Compactors
    readonly limits: ProjectionLimits
    readonly context: Context.Context<never>
    readonly request: HistoryRequest
    readonly groups: ReadonlyArray<CompactionGroup>
    readonly emit: Emit
  }) {
    this.store = options.store
    this.buckets = new BucketOutputs({ ...options, storeId: options.request.storeId })
    this.limits = options.limits
    this.context = options.context
    this.request = options.request
    const { head, storeId } = options.request
    this.planner = new Planner(options.store, storeId, groupsByEvent(options.groups), head)
    this.pages = new PageBuilder(options.limits.page)
    this.emit = options.emit
  }

  readonly run = Effect.fnUntraced(function* (this: Projection): Effect.fn.Return<void, Failure> {
    const { from, head, storeId } = this.request
    // Most of a long history is left out, and a store may do it without handing it over.
    const isWanted = (entry: FeedEntry) => !this.planner.isLeftOut(entry)
    let next = from
    while (next <= head) {
      const { entries, through } = yield* this.store.read(storeId, next, this.limits.page, isWanted)
      const last = through ?? entries[entries.length - 1]?.remoteSequence ?? 0
      if (last < next) break
      yield* this.projectPage(entries.filter((entry) => entry.remoteSequence <= head && isWanted(entry)))
      next = last + 1
      // A store in memory never waits: others have their turn.
      yield* Effect.yieldNow
    }
    yield* this.send(this.pages.finish())
  })

  private readonly projectPage = Effect.fnUntraced(function* (
    this: Projection,
    page: ReadonlyArray<FeedEntry>
  ): Effect.fn.Return<void, Failure> {
    const plan = yield* this.planner.plan(page)
    const endsHere = (entry: FeedEntry) => plan.get(entry)?.last === entry.remoteSequence
    const ending = page.filter(endsHere).map((entry) => plan.get(entry)!)
    let lastEntries: LastEntries = new Map()
    for (const entry of page) {
      const bucket = plan.get(entry)
      if (bucket === undefined) {
        const full = this.pages.add([entry])
        if (full !== undefined) yield* this.emit(full)
      } else if (bucket.last === entry.remoteSequence) {
        if (this.buckets.lastBy(bucket) !== undefined && !lastEntries.has(bucket)) {
          // Those before have gone out: they are not to be held together with the next ones.
          lastEntries = new Map()
          lastEntries = yield* this.buckets.lastEntries(ending.slice(ending.indexOf(bucket)))
        }
        yield* this.projectBucket(bucket, lastEntries)
      }
    }
  })

  private readonly projectBucket = Effect.fnUntraced(function* (
    this: Projection,
    bucket: EligibleBucket,
    lastEntries: LastEntries
  ): Effect.fn.Return<void, Failure> {
    const outputs = yield* this.buckets.of(bucket, lastEntries)
    if (outputs === undefined) return yield* this.sendUnchanged(bucket)
    compactionOutputs.updateUnsafe(outputs.length, this.context)
    const runs = cutRuns(
      outputs.map((entry) => asFeedEntry(entry, bucket.last)),
      this.request.keepsSequencesWhole ? this.limits.whole : this.limits.page
    )
    if (this.request.keepsSequencesWhole && runs.length > 1) return yield* tooBig(bucket)
    for (const [index, run] of runs.entries()) yield* this.sendRun(run, bucket, index === runs.length - 1)
  })

  private readonly sendUnchanged = Effect.fnUntraced(function* (
    this: Projection,
    bucket: EligibleBucket
  ): Effect.fn.Return<void, StorageError> {
    if (this.request.keepsSequencesWhole) return yield* this.sendUnchangedWhole(bucket)
    for (let from = bucket.range.fromSequence; from <= bucket.last; ) {
      const part = yield* this.buckets.page(bucket, from)
      const last = part[part.length - 1]?.remoteSequence ?? bucket.last
      yield* this.sendRun(part, bucket, last === bucket.last)
      from = last + 1
    }
  })

  private readonly sendUnchangedWhole = Effect.fnUntraced(function* (
    this: Projection,
    bucket: EligibleBucket
  ): Effect.fn.Return<void, StorageError> {
    const all: Array<FeedEntry> = []
    let bytes = 0
    for (let from = bucket.range.fromSequence; from <= bucket.last; ) {
      const part = yield* this.buckets.page(bucket, from)
      for (const { entry } of part) bytes += entryBytes(entry)
      all.push(...part)
      if (all.length > this.limits.whole.maxEntries || bytes > this.limits.whole.maxBytes) return yield* tooBig(bucket)
      from = (part[part.length - 1]?.remoteSequence ?? bucket.last) + 1
    }
    yield* this.sendRun(all, bucket, true)
  })

  /**
   * Sends a part of a bucket's outputs in one page. All but the final part carry the sequence before the last, so that
   * a device which is cut off between them is sent the whole bucket again.
   */
  private sendRun(run: ReadonlyArray<FeedEntry>, bucket: EligibleBucket, isFinal: boolean): Effect.Effect<void> {
    const remoteSequence = isFinal ? bucket.last : bucket.last - 1
    return this.send(this.pages.add(run.map((entry) => ({ ...entry, remoteSequence }))))
  }

  private send(page: Page | undefined): Effect.Effect<void> {
    return page === undefined ? Effect.void : this.emit(page)
  }
}

/** An operator has to raise a limit, or to give the bucket's events a compactor again: there is nothing to wait for. */
const tooBig = ({ group, range }: EligibleBucket): Effect.Effect<never> =>
  Effect.die(
    new Error(
      `The old entries of ${group.events.join(", ")} with the primary key ${JSON.stringify(range.primaryKey)} are more ` +
        "than maxRpcBatchEntries or maxRpcMessageBytes, and an effect client can only be sent them together"
    )
  )

const asFeedEntry = (entry: EventJournal.Entry, remoteSequence: number): FeedEntry => ({
  entry,
  remoteSequence,
  author: null,
  transportOnly: false
})
