import { type Lease, LeaseLostError, type StoreProgress } from "@eventlog-server/core/backend"
import type { StoreId } from "@eventlog-server/core/effect"
import { Clock, Effect, Option } from "effect"

/** How long a node that doesn't move keeps its leases, in milliseconds. */
export const leaseMillis = 2_000

/** Who holds leases, and since when they have not moved; `undefined` while they do. */
export interface LeaseOwner {
  readonly stuckSince: () => number | undefined
}

interface Holder {
  readonly owner: LeaseOwner
}

/** Leases that run out, and the cursors that they protect: those of a database whose holders may die. */
export class Leases {
  private readonly holders = new Map<StoreId, Holder>()
  private readonly reached = new Map<StoreId, number>()

  /** The cursor of a store. */
  cursor(storeId: StoreId): number {
    return this.reached.get(storeId) ?? 0
  }

  /** `StoreProgress.lease`, as one of the owners calls it. */
  lease(owner: LeaseOwner, storeId: StoreId): ReturnType<StoreProgress["Service"]["lease"]> {
    return Effect.acquireRelease(
      Effect.map(Clock.currentTimeMillis, (now) => this.take(owner, storeId, now)),
      (holder) => Effect.sync(() => holder !== undefined && this.giveBack(storeId, holder))
    ).pipe(Effect.map((holder) => Option.fromUndefinedOr(holder && this.leaseOf(storeId, holder))))
  }

  private take(owner: LeaseOwner, storeId: StoreId, now: number): Holder | undefined {
    const stuckSince = this.holders.get(storeId)?.owner.stuckSince() ?? now
    if (this.holders.has(storeId) && now - stuckSince < leaseMillis) return undefined
    const holder = { owner }
    this.holders.set(storeId, holder)
    return holder
  }

  private giveBack(storeId: StoreId, holder: Holder): void {
    if (this.holders.get(storeId) === holder) this.holders.delete(storeId)
  }

  private leaseOf(storeId: StoreId, holder: Holder): Lease {
    return {
      cursor: this.cursor(storeId),
      replayTo: 0,
      rewindTo: undefined,
      rewind: () => Effect.void,
      // The feeds of a simulation lose nothing, so the entry is where it was.
      advance: ({ sequence }) =>
        Effect.suspend(() => {
          if (this.holders.get(storeId) !== holder) return Effect.fail(new LeaseLostError({ storeId }))
          this.reached.set(storeId, Math.max(sequence, this.cursor(storeId)))
          return Effect.void
        })
    }
  }
}
