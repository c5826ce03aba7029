import type { Scope } from "effect"
import type { AppRedis } from "./client.ts"
import type { Identity } from "./feed/identity.ts"
import type { ListedStores } from "./feed/ListedStores.ts"
import type { SeenEntries } from "./feed/SeenEntries.ts"
import type { Keys } from "./keys.ts"
import type { Wakeups } from "./wakeups/Wakeups.ts"

/** What the ports of one node share. */
export interface RedisNode {
  readonly redis: AppRedis
  readonly keys: Keys
  readonly identity: Identity
  readonly seen: SeenEntries
  readonly listed: ListedStores
  readonly wakeups: Wakeups
  /** The life of the node. */
  readonly scope: Scope.Scope
}
