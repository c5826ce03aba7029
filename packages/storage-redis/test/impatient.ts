import type { FeedStore, StoreProgress } from "@eventlog-server/core/backend"
import { Effect } from "effect"
import type { Redis } from "ioredis"
import { ScriptCalls } from "../src/calls/ScriptCalls.ts"
import { makeFeedStore } from "../src/feed/feedStore.ts"
import { Identity } from "../src/feed/identity.ts"
import { makeKeys } from "../src/keys.ts"
import { StampedList } from "../src/lists/StampedList.ts"
import { makeStoreProgress } from "../src/progress/storeProgress.ts"
import { makeWakeups } from "../src/wakeups/makeWakeups.ts"

/** The names of everything that these nodes keep. */
export const keys = makeKeys("eventlog:")

/** A node that takes stores off its lists sooner than others. */
export interface ImpatientNode {
  readonly feeds: FeedStore["Service"]
  readonly progress: StoreProgress["Service"]
  readonly behind: StampedList
}

/** Opens a node, for as long as the scope. @param stay how long stores stay on lists at least, in milliseconds */
export const openImpatient = Effect.fnUntraced(function* (redis: Redis, stay: number | undefined) {
  const calls = new ScriptCalls(redis)
  const behind = new StampedList(redis, calls, { keys: keys.behind, forGood: keys.stores, stay })
  const failing = new StampedList(redis, calls, { keys: keys.failing, stay })
  const retrying = new StampedList(redis, calls, { keys: keys.retrying, stay })
  const wakeups = yield* makeWakeups(redis, keys, () => {})
  const node = {
    redis,
    calls,
    keys,
    identity: new Identity(redis, keys),
    behind,
    failing,
    retrying,
    wakeups,
    scope: yield* Effect.scope
  }
  return { feeds: makeFeedStore(node), progress: makeStoreProgress(node, 10_000), behind }
})
