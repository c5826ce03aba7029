import type { StoreId, SurvivorsRequest } from "@eventlog-server/core/backend"
import type { RedisNode } from "../node.ts"
import { run } from "../script.ts"
import { beginningScript, olderScript } from "./beginning.lua.ts"

/** Where the entries of an event end that come before all its younger ones; `end` where there are none of those. */
const endOfOlder = async (
  { keys, redis }: RedisNode,
  storeId: StoreId,
  toId: Buffer,
  { end, event }: { readonly end: number; readonly event: string }
): Promise<number> => {
  const { buckets, events } = keys.store(storeId)
  let to = end
  for (let from = 0; from >= 0; ) {
    const reply = (await run(redis, olderScript, [buckets, events], [event, from, to, toId])) as ReadonlyArray<unknown>
    from = Number(reply[0])
    to = Number(reply[1])
  }
  return to
}

/**
 * The last sequence of the beginning that `FeedStore.survivors` is asked for; 0 where there is none. As long as no entry of
 * the store is younger this is one look. Otherwise it takes a look at each bucket: at its last entries, unless there are more
 * younger ones.
 */
export const findBeginning = async (
  node: RedisNode,
  storeId: StoreId,
  { groups, toSequence, ...request }: SurvivorsRequest
): Promise<number> => {
  const { keys, redis } = node
  const { buckets, events: eventsKey, state } = keys.store(storeId)
  const events = new Set(groups.flatMap(({ events }) => events))
  const toId = Buffer.from(request.toId)
  const reply = await run(redis, beginningScript, [state, buckets, eventsKey], [toId, ...events])
  const [head, hasYounger, firstOther, isOtherYounger] = (reply as ReadonlyArray<unknown>).map(Number) as [
    number,
    number,
    number,
    number
  ]
  const last = Math.min(toSequence, head)
  // The first entry of another event ends what there may be: either it is younger, or there is no beginning.
  const beforeOther = firstOther > 0 ? Math.min(last, firstOther - 1) : last
  let end = beforeOther
  if (hasYounger) for (const event of events) end = await endOfOlder(node, storeId, toId, { end, event })
  return end === last || end < beforeOther || isOtherYounger ? end : 0
}
