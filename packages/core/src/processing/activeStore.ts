import { Effect, Queue } from "effect"
import type { StoreId } from "../backend/StoreId.ts"

/** A store that this node looks after. */
export interface ActiveStore {
  readonly storeId: StoreId
  /** Whether to keep the lease for a while when there is nothing to do: somebody here writes to the store. */
  lingers: boolean
  /** Says that there may be something to do, until `quiet` is called. */
  readonly nudge: () => void
  readonly isNudged: () => boolean
  readonly quiet: () => void
  /** Waits for a nudge. */
  readonly nudged: Effect.Effect<void>
}

export const makeActiveStore = (storeId: StoreId): Effect.Effect<ActiveStore> =>
  Effect.map(Queue.dropping<void>(1), (nudges) => ({
    storeId,
    lingers: false,
    nudge: () => void Queue.offerUnsafe(nudges, undefined),
    isNudged: () => Queue.sizeUnsafe(nudges) > 0,
    quiet: () => void Queue.takeUnsafe(nudges),
    nudged: Queue.peek(nudges)
  }))
