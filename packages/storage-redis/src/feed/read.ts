import type { FeedPage, PageLimits, StoreId } from "@eventlog-server/core"
import type { RedisNode } from "../node.ts"
import { run } from "../script.ts"
import { seenArguments } from "./history.ts"
import { readScript } from "./read.lua.ts"
import { readRecord } from "./record.ts"

/** Reads a page by one script. */
export const read = async (
  { identity, keys, redis, seen }: RedisNode,
  storeId: StoreId,
  from: number,
  limits: PageLimits
): Promise<FeedPage> => {
  const { feed, ids, state } = keys.store(storeId)
  const reply = await run(
    redis,
    readScript,
    [feed, ids, state],
    [from, limits.maxEntries, limits.maxBytes, ...seenArguments(seen.last(storeId))]
  )
  const [head, ...stored] = reply as [head: unknown, ...stored: ReadonlyArray<Buffer>]
  const entries = stored.map((bytes, index) => readRecord(from + index, bytes))
  const last = entries.at(-1)
  if (last !== undefined) {
    seen.see(storeId, { sequence: last.remoteSequence, id: last.entry.id, remoteId: identity.known })
  }
  return { entries, head: Number(head) }
}
