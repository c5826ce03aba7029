import { makeEntry } from "@eventlog-server/testkit/schema"
import { Clock, Context, Duration, Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { FeedEntry } from "../../src/backend/FeedStore.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import type { CompactionGroup } from "../../src/backend/StoreProgress.ts"
import { inForce } from "../../src/compaction/compaction.ts"
import { Compactors } from "../../src/compaction/compactors.ts"
import { keepLast } from "../../src/compaction/keepLast.ts"
import { Projection } from "../../src/compaction/projection.ts"
import type { Page } from "../../src/feed/page.ts"
import { makeFeedStore } from "../../src/memory/feedStore.ts"
import { makeFeedState, makeProgressState } from "../../src/memory/MemoryState.ts"
import { makeStoreProgress } from "../../src/memory/storeProgress.ts"

export type Entry = EventJournal.Entry

export const tags = ["Added", "Renamed", "Toggled"] as const
const minute = 60_000
const storeId = StoreId.make("store")

/** Which events each compactor of a deploy takes, and how many minutes old they must be. */
export type Deploy = ReadonlyArray<{ readonly events: ReadonlyArray<string>; readonly minutes: number }>

/** Small bounds, so that a few entries already need several pages, and buckets several steps. */
export const pageEntries = 3
const bucketEntries = 8
const unlimited = 1_000_000

/** What a device is handed in one message. */
export interface Message {
  readonly entries: ReadonlyArray<{ readonly sequence: number; readonly entry: Entry }>
  /** The ids of all entries that those stand for. */
  readonly standsFor: ReadonlyArray<string>
}

/** Servers on one storage. Each has the compactors that were deployed to it, which need not be the same. */
export const nodes = [0, 1] as const
export type Node = (typeof nodes)[number]

/** One store, the backend's clock, and the nodes. */
export class World {
  readonly feed: Array<Entry> = []
  now = 10_000 * minute
  private readonly feeds = makeFeedState()
  private readonly store = makeFeedStore(this.feeds)
  private readonly progress = makeStoreProgress(makeProgressState(this.feeds.erased), this.feeds)
  private readonly deployed: Record<Node, Deploy> = [[], []]
  private written = 0

  deploy(node: Node, deploy: Deploy): void {
    this.deployed[node] = deploy
  }

  deployOf(node: Node): Deploy {
    return this.deployed[node]
  }

  /** An entry that a device made so many minutes ago. */
  makeEntry(tag: string, primaryKey: string, minutesAgo: number): Entry {
    const payload = Uint8Array.of(this.written++ & 0xff)
    return makeEntry({ msecs: this.now - minutesAgo * minute, event: tag, primaryKey, payload })
  }

  append(entries: ReadonlyArray<Entry>): Effect.Effect<void> {
    return Effect.map(
      this.store.append(
        storeId,
        entries.map((entry) => ({ entry, author: null, transportOnly: false }))
      ),
      (appended) => {
        for (const [index, { isNew }] of appended.entries()) if (isNew) this.feed.push(entries[index]!)
      }
    ).pipe(Effect.orDie)
  }

  /** The cut-offs in force for a subscription that begins now on a node. */
  groups(node: Node): Effect.Effect<ReadonlyArray<CompactionGroup>> {
    const requests = this.deployed[node].map(({ events, minutes }) => ({
      events,
      olderThan: Duration.minutes(minutes)
    }))
    return this.progress
      .raiseCutoffs(storeId, requests)
      .pipe(Effect.provideService(Clock.Clock, fixedClock(this.now)), Effect.orDie)
  }

  /**
   * What a device is sent that subscribes to a node now, up to today's head.
   *
   * @param meanwhile happens while it is being sent
   */
  history(node: Node, from: number, meanwhile: Effect.Effect<void>): Effect.Effect<ReadonlyArray<Message>> {
    const self = this
    return Effect.gen(function* () {
      const messages: Array<Message> = []
      const dropped = new Map<string, ReadonlyArray<string>>()
      const compactors = self.compactors(node, dropped)
      yield* new Projection({
        store: self.store,
        compactors,
        limits: {
          page: { maxEntries: pageEntries, maxBytes: unlimited },
          bucket: { maxEntries: bucketEntries, maxBytes: unlimited },
          whole: { maxEntries: unlimited, maxBytes: unlimited },
          timeout: Duration.seconds(30),
          minBeginning: Number.POSITIVE_INFINITY
        },
        context: Context.empty(),
        request: { storeId, from, head: self.feed.length, first: [], keepsSequencesWhole: false },
        groups: inForce(yield* self.groups(node), compactors, from),
        emit: (page) =>
          Effect.andThen(
            Effect.sync(() => void messages.push(messageOf(page, dropped))),
            meanwhile
          )
      }).run()
      return messages
    }).pipe(Effect.orDie)
  }

  /** `keepLast`, noting with the final output what was dropped for it. */
  private compactors(node: Node, dropped: Map<string, ReadonlyArray<string>>): Compactors {
    const compactors = new Compactors()
    for (const { events, minutes } of this.deployed[node]) {
      compactors.add({
        events,
        olderThan: Duration.minutes(minutes),
        effect: (input) =>
          Effect.andThen(
            Effect.sync(() =>
              dropped.set(
                input.entries[input.entries.length - 1]!.idString,
                input.entries.flatMap((it) => dropped.get(it.idString) ?? [it.idString])
              )
            ),
            keepLast({ by: "sequence" })(input)
          )
      })
    }
    return compactors
  }
}

const messageOf = (page: Page, dropped: ReadonlyMap<string, ReadonlyArray<string>>): Message => ({
  entries: page.entries.map(({ entry, remoteSequence }: FeedEntry) => ({ sequence: remoteSequence, entry })),
  standsFor: page.entries.flatMap(({ entry }) => dropped.get(entry.idString) ?? [entry.idString])
})

const fixedClock = (now: number): Clock.Clock => ({
  currentTimeMillisUnsafe: () => now,
  currentTimeMillis: Effect.succeed(now),
  currentTimeNanosUnsafe: () => BigInt(now) * 1_000_000n,
  currentTimeNanos: Effect.succeed(BigInt(now) * 1_000_000n),
  monotonicTimeNanosUnsafe: () => BigInt(now) * 1_000_000n,
  monotonicTimeNanos: Effect.succeed(BigInt(now) * 1_000_000n),
  sleep: () => Effect.never
})
