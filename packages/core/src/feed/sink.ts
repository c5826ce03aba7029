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
  /** Everything up to `head` was delivered. */
  readonly caughtUp: (head: number) => void
}
