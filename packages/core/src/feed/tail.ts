import { Effect, Stream } from "effect"
import type { FeedStore, PageLimits } from "../backend/FeedStore.ts"
import type { StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { retryOutage } from "./outage.ts"
import { Page } from "./page.ts"
import type { Sink } from "./sink.ts"

/** Pages of one entry are common under light load, so the memory is bounded in pages as well as in bytes. */
const maxRecentPages = 64

/** Why a subscriber is no longer on the tail: it must read on from storage, or the store is gone. */
export type Left = "Slow" | StoreErasedError

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
  private erased: StoreErasedError | undefined
  private next: number
  private readonly limits: PageLimits
  private readonly onIdle: () => void

  /** @param next the first sequence to publish @param onIdle called when nobody rides it (any more) */
  constructor(next: number, limits: PageLimits, onIdle: () => void) {
    this.next = next
    this.limits = limits
    this.onIdle = onIdle
  }

  /**
   * Lets a rider ride. One that is a little behind gets the recent pages that it lacks, or under steady writes it would
   * chase the tail for ever; one that is further behind must read on from storage, and `false` says so. One that is
   * ahead of the tail skips what it has.
   */
  join(rider: Rider): boolean {
    const oldest = this.recent[0]?.first ?? this.next
    if (this.erased === undefined && rider.next < oldest) {
      // Who made the tail may find it ahead already, and need not come back.
      if (this.riders.size === 0) this.onIdle()
      return false
    }
    this.riders.add(rider)
    if (this.erased !== undefined) this.drop(rider, this.erased)
    for (const page of this.recent) this.handTo(rider, page)
    return true
  }

  /** Takes a rider off by its own wish. */
  leave(rider: Rider): void {
    if (this.riders.delete(rider) && this.riders.size === 0) this.onIdle()
  }

  /** Follows the store until interrupted or erased. */
  follow(store: FeedStore["Service"], storeId: StoreId): Effect.Effect<void> {
    return store.wakeups(storeId).pipe(
      Stream.runForEach(() => this.publishNew(store, storeId)),
      // Wake-ups that end, or a backend that dies, are a connection that was lost: listening again wakes once.
      Effect.catchDefect((defect) => Effect.logError("The backend died while a feed was followed", defect)),
      Effect.andThen(Effect.fail("Ended" as const)),
      retryOutage("Following a feed", storeId),
      Effect.catch((erased) => Effect.sync(() => this.end(erased)))
    )
  }

  private publishNew(
    store: FeedStore["Service"],
    storeId: StoreId
  ): Effect.Effect<void, StorageError | StoreErasedError> {
    return Effect.flatMap(store.read(storeId, this.next, this.limits), ({ entries, head }) => {
      if (entries.length === 0) return Effect.void
      this.publish(new Page(entries))
      return this.next > head ? Effect.void : this.publishNew(store, storeId)
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
    while (this.recent.length > maxRecentPages || this.recentBytes > 2 * this.limits.maxBytes) {
      this.recentBytes -= this.recent.shift()!.bytes
    }
  }

  /** The store is gone: so are the riders, and those who find the tail before it is forgotten. */
  private end(erased: StoreErasedError): void {
    this.erased = erased
    for (const rider of this.riders) this.drop(rider, erased)
  }

  private drop(rider: Rider, why: Left): void {
    this.leave(rider)
    rider.left(why)
  }
}
