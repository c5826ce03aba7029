import { type Context, Effect, Stream } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { FeedEntry, FeedStore, PageLimits, Survivor } from "../backend/FeedStore.ts"
import type { FeedLostError, StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { CompactionGroup } from "../backend/StoreProgress.ts"
import type { HistoryRequest } from "../feed/history.ts"
import type { Page } from "../feed/page.ts"
import { entryBytes } from "../wire/fields.ts"
import { type Beginning, beginningOf } from "./beginning.ts"
import { type BucketLimits, BucketOutputs, type ReadAhead } from "./bucketOutputs.ts"
import type { Compactors } from "./compactors.ts"
import { compactionOutputs } from "./metrics.ts"
import { cutRuns, PageBuilder } from "./pages.ts"
import { type EligibleBucket, groupsByEvent, Planner } from "./plan.ts"

/** How much of a history is compacted at a time. */
export interface ProjectionLimits extends BucketLimits {
  /** What may be sent of a bucket that must stay in one page. */
  readonly whole: PageLimits
  /** Entries of a history from which on its beginning is looked for by index: a shorter one is walked with less work. */
  readonly minBeginning: number
}

type Failure = StorageError | StoreErasedError | FeedLostError
type Emit = (page: Page) => Effect.Effect<void>

/**
 * One pass over a store's history: what isn't eligible goes out as it is; an eligible entry goes out only if it is its
 * bucket's last eligible one, and then as the bucket's outputs. It holds a page and a bucket, never the history.
 *
 * Where nothing but last entries can come out of a long beginning, that is not read: the storage finds them by index, in the
 * order in which the pass would come upon them.
 */
export class Projection {
  private readonly store: FeedStore["Service"]
  private readonly buckets: BucketOutputs
  private readonly limits: ProjectionLimits
  private readonly context: Context.Context<never>
  private readonly request: HistoryRequest
  private readonly groups: ReadonlyMap<string, CompactionGroup>
  private readonly planner: Planner
  private readonly beginning: Beginning | undefined
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
    this.groups = groupsByEvent(options.groups)
    const { first, from, head, storeId } = options.request
    this.planner = new Planner(options.store, storeId, this.groups, head)
    if (head - from >= options.limits.minBeginning) {
      this.beginning = beginningOf(options.groups, options.compactors, first)
    }
    this.pages = new PageBuilder(options.limits.page)
    this.emit = options.emit
  }

  readonly run = Effect.fnUntraced(function* (this: Projection): Effect.fn.Return<void, Failure> {
    const { head, storeId } = this.request
    let next = this.beginning === undefined ? this.request.from : yield* this.projectBeginning(this.beginning)
    while (next <= head) {
      const { entries } = yield* this.store.read(storeId, next, this.limits.page)
      const last = entries[entries.length - 1]?.remoteSequence ?? 0
      if (last < next) break
      yield* this.projectPage(entries.filter((entry) => entry.remoteSequence <= head && !this.planner.isLeftOut(entry)))
      next = last + 1
      // A store in memory never waits: others have their turn.
      yield* Effect.yieldNow
    }
    yield* this.send(this.pages.finish())
  })

  /** Sends what is left of the beginning, and returns where to go on. */
  private readonly projectBeginning = Effect.fnUntraced(function* (
    this: Projection,
    beginning: Beginning
  ): Effect.fn.Return<number, Failure> {
    const { from, head, storeId } = this.request
    const { page: limits } = this.limits
    const { pages, toSequence } = yield* this.store.survivors(storeId, { ...beginning, toSequence: head, limits })
    let rest: ReadonlyArray<Survivor> = []
    yield* Stream.runForEach(pages, (page) => {
      const survivors = [...rest, ...page]
      // The bucket that a page ends with may go on in the next one.
      const end = survivors.findIndex(({ last }) => last === survivors.at(-1)?.last)
      rest = survivors.slice(end)
      return this.projectSurvivors(survivors.slice(0, end), toSequence)
    })
    yield* this.projectSurvivors(rest, toSequence)
    return Math.max(from, toSequence + 1)
  })

  /** Sends what comes of buckets whose last entries were found, up to the end of the beginning. */
  private readonly projectSurvivors = Effect.fnUntraced(function* (
    this: Projection,
    survivors: ReadonlyArray<Survivor>,
    toSequence: number
  ): Effect.fn.Return<void, Failure> {
    const { from, head } = this.request
    const wanted = survivors.filter(({ last }) => last >= from)
    const plan = toSequence === head ? undefined : yield* this.planner.plan(wanted.map(({ entry }) => entry))
    for (let start = 0, end = 0; start < wanted.length; start = end) {
      const { entry, last } = wanted[start]!
      while (wanted[end]?.last === last) end++
      const bucket = plan === undefined ? this.bucketOf(entry, last) : plan.get(entry)
      // Old entries that came late make a bucket end behind the beginning: it is sent where it ends.
      if (bucket === undefined || bucket.last !== last) continue
      yield* this.projectBucket(bucket, new Map([[bucket, wanted.slice(start, end).map(({ entry }) => entry)]]))
    }
  })

  /** The bucket of an entry, of which all entries are eligible. */
  private bucketOf({ entry }: FeedEntry, last: number): EligibleBucket | undefined {
    const group = this.groups.get(entry.event)
    if (group === undefined) return undefined
    const range = { events: group.events, primaryKey: entry.primaryKey, fromSequence: 1, toSequence: this.request.head }
    return { group, range, last }
  }

  private readonly projectPage = Effect.fnUntraced(function* (
    this: Projection,
    page: ReadonlyArray<FeedEntry>
  ): Effect.fn.Return<void, Failure> {
    const plan = yield* this.planner.plan(page)
    const endsHere = (entry: FeedEntry) => plan.get(entry)?.last === entry.remoteSequence
    const ending = page.filter(endsHere).map((entry) => plan.get(entry)!)
    let ahead: ReadAhead = new Map()
    for (const entry of page) {
      const bucket = plan.get(entry)
      if (bucket === undefined) {
        const full = this.pages.add([entry])
        if (full !== undefined) yield* this.emit(full)
      } else if (bucket.last === entry.remoteSequence) {
        if (!ahead.has(bucket)) {
          // Those before have gone out: they are not to be held together with the next ones.
          ahead = new Map()
          ahead = yield* this.buckets.readAhead(ending.slice(ending.indexOf(bucket)))
        }
        yield* this.projectBucket(bucket, ahead)
      }
    }
  })

  private readonly projectBucket = Effect.fnUntraced(function* (
    this: Projection,
    bucket: EligibleBucket,
    ahead: ReadAhead
  ): Effect.fn.Return<void, Failure> {
    const outputs = yield* this.buckets.of(bucket, ahead)
    if (outputs === undefined) return yield* this.sendUnchanged(bucket, ahead)
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
    bucket: EligibleBucket,
    ahead: ReadAhead
  ): Effect.fn.Return<void, StorageError> {
    if (this.request.keepsSequencesWhole) return yield* this.sendUnchangedWhole(bucket, ahead)
    for (let from = bucket.range.fromSequence; from <= bucket.last; ) {
      const part = yield* this.buckets.page(bucket, from, ahead)
      const last = part[part.length - 1]?.remoteSequence ?? bucket.last
      yield* this.sendRun(part, bucket, last === bucket.last)
      from = last + 1
    }
  })

  private readonly sendUnchangedWhole = Effect.fnUntraced(function* (
    this: Projection,
    bucket: EligibleBucket,
    ahead: ReadAhead
  ): Effect.fn.Return<void, StorageError> {
    const all: Array<FeedEntry> = []
    let bytes = 0
    for (let from = bucket.range.fromSequence; from <= bucket.last; ) {
      const part = yield* this.buckets.page(bucket, from, ahead)
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
