import { Effect, Stream } from "effect"
import type { ReadOptions } from "../backend/FeedStore.ts"
import type { FeedLostError, StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { View } from "../continuity/continuity.ts"
import { News } from "./News.ts"
import { retryOutage } from "./outage.ts"
import { Page } from "./page.ts"
import type { Sink } from "./sink.ts"

/** Pages of one entry are common under light load, so the memory is bounded in pages as well as in bytes. */
const maxRecentPages = 64

/** Why a feed can't be followed any further. */
export type FeedEnd = StoreErasedError | FeedLostError

/** Why a subscriber is no longer on the tail: it must read on from storage, or there is nothing to read on in. */
export type Left = "Slow" | FeedEnd

/** A subscriber that has seen everything below `next`. */
export interface Rider {
  next: number
  readonly sink: Sink
  /** Called once, when the tail drops the rider. */
  readonly left: (why: Left) => void
}

/**
 * The live end of one store's feed on this node: reads each new page once and hands it to every rider.
 *
 * It is a cursor like any other. Wake-ups only say when to look, so it doesn't matter who committed, or whether a
 * wake-up was lost, repeated or late.
 */
export class Tail {
  private readonly riders = new Set<Rider>()
  private readonly recent: Array<Page> = []
  private recentBytes = 0
  private ended: FeedEnd | undefined
  private next: number
  private readonly options: ReadOptions
  private readonly onIdle: () => void

  /** @param next the first sequence to publish @param onIdle called when nobody rides it (any more) */
  constructor(next: number, options: ReadOptions, onIdle: () => void) {
    this.next = next
    this.options = options
    this.onIdle = onIdle
  }

  /**
   * Lets a rider ride. One that is a little behind gets the recent pages that it lacks, or under steady writes it would
   * chase the tail for ever; one that is further behind must read on from storage, and `false` says so. One that is
   * ahead of the tail skips what it has.
   */
  join(rider: Rider): boolean {
    const oldest = this.recent[0]?.first ?? this.next
    if (this.ended === undefined && rider.next < oldest) {
      // Who made the tail may find it ahead already, and need not come back.
      if (this.riders.size === 0) this.onIdle()
      return false
    }
    this.riders.add(rider)
    if (this.ended !== undefined) this.drop(rider, this.ended)
    for (const page of this.recent) this.handTo(rider, page)
    return true
  }

  /** Takes a rider off by its own wish. */
  leave(rider: Rider): void {
    if (this.riders.delete(rider) && this.riders.size === 0) this.onIdle()
  }

  /**
   * Follows the store until interrupted, erased, or its history is another one.
   * @param gather waits for other tails that have to look now, too, where they are many
   */
  follow(view: View, storeId: StoreId, gather: () => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const news = new News()
      const listening = Stream.runForEach(view.feeds.wakeups(storeId), (wakeup) => Effect.sync(() => news.hear(wakeup)))
      return Effect.raceFirst(listening, Effect.forever(this.publishHeard(news, view, { storeId, gather })))
    }).pipe(
      // Wake-ups that end, or a backend that dies, are a connection that was lost: listening again wakes once.
      Effect.catchDefect((defect) => Effect.logError("The backend died while a feed was followed", defect)),
      Effect.andThen(Effect.fail("Ended" as const)),
      retryOutage("Following a feed", storeId),
      Effect.catch((why) => Effect.sync(() => this.end(why)))
    )
  }

  private publishHeard(
    news: News,
    view: View,
    { gather, storeId }: { readonly storeId: StoreId; readonly gather: () => Effect.Effect<void> }
  ): Effect.Effect<void, StorageError | FeedEnd> {
    return Effect.flatMap(news.taken, ({ head }) => {
      const { next } = this
      const published = Effect.suspend(() => this.publishNew(view, storeId, head))
      return Effect.andThen(
        head === undefined ? Effect.andThen(gather(), published) : published,
        Effect.suspend(() => (this.next > next ? news.grew : Effect.void))
      )
    })
  }

  /** @param head how far the feed is known to go; without it, it has to be looked: the store may be gone */
  private publishNew(
    view: View,
    storeId: StoreId,
    head: number | undefined
  ): Effect.Effect<void, StorageError | FeedEnd> {
    if (head === undefined) return this.publishStored(view, storeId)
    return Effect.suspend(() => {
      for (let page = this.takeFresh(view, storeId); page !== undefined; page = this.takeFresh(view, storeId)) {
        this.publish(page)
      }
      return this.next > head ? Effect.void : this.publishStored(view, storeId)
    })
  }

  /** The next page of what was committed here. */
  private takeFresh(view: View, storeId: StoreId): Page | undefined {
    const page = view.fresh(storeId, this.next, this.options)
    return page && new Page(page.entries)
  }

  private publishStored(view: View, storeId: StoreId): Effect.Effect<void, StorageError | FeedEnd> {
    return Effect.flatMap(view.feeds.read(storeId, this.next, this.options), ({ entries, head }) => {
      if (entries.length === 0) return Effect.void
      this.publish(new Page(entries))
      return this.next > head ? Effect.void : this.publishStored(view, storeId)
    })
  }

  private publish(page: Page): void {
    this.next = page.last + 1
    this.remember(page)
    for (const rider of this.riders) this.handTo(rider, page)
  }

  private handTo(rider: Rider, page: Page): void {
    if (rider.next > page.last || !this.riders.has(rider)) return
    try {
      if (!rider.sink.ready()) return this.drop(rider, "Slow")
      rider.sink.deliver(page, page.indexOf(rider.next))
      rider.next = page.last + 1
    } catch {
      // A sink that breaks its word breaks it again when it is served from storage: there it is alone.
      this.drop(rider, "Slow")
    }
  }

  /** Keeps the latest pages, two full pages' worth of bytes at most. */
  private remember(page: Page): void {
    this.recent.push(page)
    this.recentBytes += page.bytes
    while (this.recent.length > maxRecentPages || this.recentBytes > 2 * this.options.maxBytes) {
      this.recentBytes -= this.recent.shift()!.bytes
    }
  }

  /** Nothing more comes: that is all for the riders, and for those who find the tail before it is forgotten. */
  end(why: FeedEnd): void {
    this.ended = why
    for (const rider of this.riders) this.drop(rider, why)
  }

  private drop(rider: Rider, why: Left): void {
    this.leave(rider)
    rider.left(why)
  }
}
