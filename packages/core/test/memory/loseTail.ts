import type { StoreId } from "../../src/backend/StoreId.ts"
import type { MemoryState } from "../../src/memory/backend.ts"
import { MemoryFeed } from "../../src/memory/MemoryFeed.ts"

/** Takes the last entries from a store, as if a backup had been restored: the cursor went back, too. */
export const loseTail = ({ feeds, progress }: MemoryState, storeId: StoreId, count: number): void => {
  const before = feeds.feeds.get(storeId)
  if (before === undefined) return
  const after = new MemoryFeed()
  const { entries } = before.page(1, { maxEntries: before.end - count, maxBytes: Number.POSITIVE_INFINITY })
  after.append(entries)
  feeds.feeds.set(storeId, after)
  progress.cursors.set(storeId, Math.min(after.end, progress.cursors.get(storeId) ?? 0))
}
