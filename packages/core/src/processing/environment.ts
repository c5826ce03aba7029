import type { FeedStore } from "../backend/FeedStore.ts"
import type { StoreProgress } from "../backend/StoreProgress.ts"
import type { Arrivals } from "./arrivals.ts"
import type { Handlers } from "./handlers.ts"
import type { ResolvedProcessingOptions } from "./options.ts"
import type { StoppedStores } from "./stoppedStores.ts"
import type { Turns } from "./turns.ts"

/** What processing works with, shared by all stores of a node. */
export interface Environment {
  readonly feeds: FeedStore["Service"]
  readonly progress: StoreProgress["Service"]
  readonly handlers: Handlers
  readonly options: ResolvedProcessingOptions
  readonly turns: Turns
  readonly arrivals: Arrivals
  readonly stopped: StoppedStores
  /** Entries that this node passed. */
  readonly counts: { processed: number }
}
