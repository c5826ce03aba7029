import type { Effect } from "effect"
import type { Page } from "./page.ts"

/** Where a subscription's entries go: a connection, or a queue. No member may throw. */
export interface Sink {
  /** Takes the entries of a page from index `from` on. It never refuses and never waits. */
  readonly deliver: (page: Page, from: number) => void
  /** Whether it has room. A sink without leaves the live tail. */
  readonly ready: () => boolean
  /** Waits until it has room. */
  readonly drained: Effect.Effect<void>
  /**
   * Whether all entries of a compacted history that carry one sequence must come in one page: a client that was cut off
   * between two of them would ask for what comes after. @default false
   */
  readonly keepsSequencesWhole?: boolean | undefined
  /** Everything up to `head` was delivered. */
  readonly caughtUp: (head: number) => void
}
