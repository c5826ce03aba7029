import type { Backend } from "@eventlog-server/core"
import { FeedStore } from "@eventlog-server/core/backend"
import { StoreId } from "@eventlog-server/core/effect"
import { Effect, Layer, Logger, ManagedRuntime } from "effect"
import { onTestFinished } from "vitest"

/** The stores that devices are enrolled into: what is true of one must not depend on what happens in another. */
export const storeIds = [StoreId.make("family"), StoreId.make("club")] as const

/** An entry of a feed. */
export interface Placed {
  readonly id: string
  readonly primaryKey: string
}

/** Which entry is at which sequence. */
export type Feed = ReadonlyMap<number, Placed>

/** The feed of each store. */
export type Feeds = ReadonlyMap<string, Feed>

const page = { maxEntries: 1_000, maxBytes: 16 * 1024 * 1024 }

const readFeed = Effect.fnUntraced(function* (storeId: StoreId) {
  const store = yield* FeedStore
  const feed = new Map<number, Placed>()
  while (true) {
    const { entries, head } = yield* store.read(storeId, feed.size + 1, page)
    for (const { entry, remoteSequence } of entries) {
      feed.set(remoteSequence, { id: entry.idString, primaryKey: entry.primaryKey })
    }
    if (feed.size >= head) return feed
  }
})

const readFeeds = Effect.gen(function* () {
  const feeds = new Map<string, Feed>()
  for (const storeId of storeIds) feeds.set(storeId, yield* readFeed(storeId))
  return feeds
})

/** Reads the feeds as the storage has them, whenever it is called, and rejects while the storage is away. */
export const openReader = (backend: Backend): (() => Promise<Feeds>) => {
  const runtime = ManagedRuntime.make(Layer.provideMerge(backend.layer, Logger.layer([])))
  onTestFinished(() => runtime.dispose())
  return () => runtime.runPromise(readFeeds)
}
