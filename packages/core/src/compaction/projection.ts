import { type Context, type Duration, Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { HistoryRequest } from "../feed/history.ts"
import type { Page } from "../feed/page.ts"
import type { FeedEntry, FeedStore, PageLimits } from "../ports/FeedStore.ts"
import type { StorageError, StoreErasedError } from "../ports/StorageError.ts"
import type { CompactionGroup } from "../ports/StoreProgress.ts"
import { entryBytes } from "../protocol/limits.ts"
import type { Compactors } from "./compactors.ts"
import { compactedEntries, compactionOutputs } from "./metrics.ts"
import { compactBucket } from "./outputs.ts"
import { cutRuns, PageBuilder } from "./pages.ts"
import { type EligibleBucket, groupsByEvent, Planner } from "./plan.ts"

/** How much of a history is compacted at a time. */
export interface ProjectionLimits {
  readonly page: PageLimits
  /** What may be held of a bucket. One with more is compacted in steps; if that doesn't help, it is sent unchanged. */
  readonly bucket: PageLimits
  /** What may be sent of a bucket that must stay in one page. */
  readonly whole: PageLimits
  /** How long a compactor may take for one bucket. */
  readonly timeout: Duration.Duration
}

type Failure = StorageError | StoreErasedError
type Emit = (page: Page) => Effect.Effect<void>

/**
 * One pass over a store's history: what isn't eligible goes out as it is; an eligible entry goes out only if it is its
 * bucket's last eligible one, and then as the bucket's outputs. It holds a page and a bucket, never the history.
 */
export class Projection {
  private readonly store: FeedStore["Service"]
  private readonly compactors: Compactors
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
    this.compactors = options.compactors
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
    let next = from
    while (next <= head) {
      const { entries } = yield* this.store.read(storeId, next, this.limits.page)
      const page = entries.filter(({ remoteSequence }) => remoteSequence <= head)
      if (page.length === 0) break
      yield* this.projectPage(page)
      next = page[page.length - 1]!.remoteSequence + 1
    }
    yield* this.send(this.pages.finish())
  })

  private readonly projectPage = Effect.fnUntraced(function* (
    this: Projection,
    page: ReadonlyArray<FeedEntry>
  ): Effect.fn.Return<void, Failure> {
    const plan = yield* this.planner.plan(page)
    for (const entry of page) {
      const bucket = plan.get(entry)
      if (bucket === undefined) yield* this.send(this.pages.add([entry]))
      else if (bucket.last === entry.remoteSequence) yield* this.projectBucket(bucket)
    }
  })

  private readonly projectBucket = Effect.fnUntraced(function* (
    this: Projection,
    bucket: EligibleBucket
  ): Effect.fn.Return<void, Failure> {
    const outputs = yield* this.outputsOf(bucket)
    if (outputs === undefined) return yield* this.sendUnchanged(bucket)
    compactionOutputs.updateUnsafe(outputs.length, this.context)
    const runs = cutRuns(
      outputs.map((entry) => asFeedEntry(entry, bucket.last)),
      this.request.keepsSequencesWhole ? this.limits.whole : this.limits.page
    )
    if (this.request.keepsSequencesWhole && runs.length > 1) return yield* tooBig(bucket)
    for (const [index, run] of runs.entries()) yield* this.sendRun(run, bucket, index === runs.length - 1)
  })

  /**
   * What the bucket's eligible entries are compacted to, or `undefined` when they are sent as they are: when no compactor
   * covers them, or when what is left of them is more than may be held.
   *
   * A bucket that is more than may be held is compacted in steps: what a step put out is compacted again, together with
   * what follows. Sending such a bucket as it is would hand a device entries that it was spared while the bucket was
   * smaller, after those that superseded them.
   */
  private readonly outputsOf = Effect.fnUntraced(function* (
    this: Projection,
    bucket: EligibleBucket
  ): Effect.fn.Return<ReadonlyArray<EventJournal.Entry> | undefined, StorageError> {
    const compactor = this.compactors.covering(bucket.group)
    if (compactor === undefined) return undefined
    const { bucket: limits, timeout } = this.limits
    const { storeId } = this.request
    const compact = (entries: ReadonlyArray<EventJournal.Entry>) =>
      compactBucket({ compactor, storeId, entries, timeout })
    let held: ReadonlyArray<EventJournal.Entry> = []
    for (let from = bucket.range.fromSequence; from <= bucket.last; ) {
      const part = yield* this.bucketPage(bucket, from)
      compactedEntries.updateUnsafe(part.length, this.context)
      held = [...held, ...part.map(({ entry }) => entry)]
      if (exceeds(held, limits)) held = yield* compact(held)
      if (exceeds(held, limits)) return undefined
      from = (part[part.length - 1]?.remoteSequence ?? bucket.last) + 1
    }
    return yield* compact(held)
  })

  private readonly sendUnchanged = Effect.fnUntraced(function* (
    this: Projection,
    bucket: EligibleBucket
  ): Effect.fn.Return<void, StorageError> {
    if (this.request.keepsSequencesWhole) return yield* this.sendUnchangedWhole(bucket)
    for (let from = bucket.range.fromSequence; from <= bucket.last; ) {
      const part = yield* this.bucketPage(bucket, from)
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
      const part = yield* this.bucketPage(bucket, from)
      for (const { entry } of part) bytes += entryBytes(entry)
      all.push(...part)
      if (all.length > this.limits.whole.maxEntries || bytes > this.limits.whole.maxBytes) return yield* tooBig(bucket)
      from = (part[part.length - 1]?.remoteSequence ?? bucket.last) + 1
    }
    yield* this.sendRun(all, bucket, true)
  })

  private bucketPage(
    { last, range }: EligibleBucket,
    from: number
  ): Effect.Effect<ReadonlyArray<FeedEntry>, StorageError> {
    const wanted = { ...range, fromSequence: from, toSequence: last }
    return Effect.map(
      this.store.bucket(this.request.storeId, [wanted], { order: "sequence", ...this.limits.page }),
      ([entries = []]) => entries
    )
  }

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

const exceeds = (entries: ReadonlyArray<EventJournal.Entry>, { maxBytes, maxEntries }: PageLimits): boolean =>
  entries.length > maxEntries || entries.reduce((sum, entry) => sum + entryBytes(entry), 0) > maxBytes

const asFeedEntry = (entry: EventJournal.Entry, remoteSequence: number): FeedEntry => ({
  entry,
  remoteSequence,
  author: null,
  transportOnly: false
})
