import type { FeedPage, KnownEntry, PageLimits, StoreId } from "@eventlog-server/core/backend"
import type { RedisNode } from "../node.ts"
import { run } from "../script.ts"
import { knownArguments } from "./known.ts"
import { readScript } from "./read.lua.ts"
import { readRecord } from "./record.ts"

/** Which page is read. */
interface PageRequest {
  readonly from: number
  readonly limits: PageLimits
  readonly known: KnownEntry | undefined
}

/** Reads a page by one script. */
export const read = async (
  { keys, redis }: RedisNode,
  storeId: StoreId,
  { from, known, limits }: PageRequest
): Promise<FeedPage> => {
  const { feed, ids, state } = keys.store(storeId)
  const args = [from, limits.maxEntries, limits.maxBytes, ...knownArguments(known)]
  const reply = await run(redis, readScript, [feed, ids, state], args)
  const [head, ...stored] = reply as [head: unknown, ...stored: ReadonlyArray<Buffer>]
  return { entries: stored.map((bytes, index) => readRecord(from + index, bytes)), head: Number(head) }
}
