import type { Scope } from "effect"
import type { ScriptCalls } from "./calls/ScriptCalls.ts"
import type { AppRedis } from "./client.ts"
import type { Identity } from "./feed/identity.ts"
import type { Keys } from "./keys.ts"
import type { StampedList } from "./lists/StampedList.ts"
import type { Wakeups } from "./wakeups/Wakeups.ts"

/** What the ports of one node share. */
export interface RedisNode {
  readonly redis: AppRedis
  /** Runs scripts for stores and public keys, many by one command. */
  readonly calls: ScriptCalls
  readonly keys: Keys
  readonly identity: Identity
  /** Stores whose cursor may not be at their head. */
  readonly behind: StampedList
  /** Stores that may have failures. */
  readonly failing: StampedList
  /** Stores that may have failures to be tried again. */
  readonly retrying: StampedList
  readonly wakeups: Wakeups
  /** The life of the node. */
  readonly scope: Scope.Scope
}
