import type { StoreId } from "@eventlog-server/core/backend"
import { eachScript } from "../calls/eachScript.ts"
import type { Listing } from "../lists/StampedList.ts"
import { stampsLua } from "../lists/stamps.lua.ts"
import type { RedisNode } from "../node.ts"

/** Stores that are looked at at once. */
const pageSize = 500

/** Returns 1 where the cursor is not at the head, or is to be rewound. Where it is at rest, a stamp, if there is one, counts no more. */
const lookScript = eachScript(`${stampsLua}
local state, stamp = KEYS[1], ARGV[1]
local stored = redis.call('HMGET', state, 'erased', 'head', 'cursor', 'rewind')
if stored[1] then return 0 end
if stored[4] or tonumber(stored[2] or 0) ~= tonumber(stored[3] or 0) then return 1 end
if stamp ~= '' then takeOff(state, 'rested', stamp) end
return 0
`)

/** A page of stores whose cursor is not at their head. Those at rest are taken off the list when they are old. */
export const behind = async (
  { behind: list, calls, keys }: RedisNode,
  after: StoreId | undefined,
  limit: number
): Promise<ReadonlyArray<StoreId>> => {
  const look = async ({ isOld, stamp, storeId }: Listing): Promise<boolean> =>
    Number(await calls.run(lookScript, [keys.store(storeId).state], [isOld ? stamp : ""])) === 1

  const found: Array<StoreId> = []
  let from: string | undefined = after
  while (found.length < limit) {
    const listings = await list.page(from, pageSize)
    const areBehind = await Promise.all(listings.map(look))
    await list.takeOff(listings.filter(({ isOld }, index) => isOld && !areBehind[index]))
    for (const [index, { storeId }] of listings.entries()) if (areBehind[index]) found.push(storeId as StoreId)
    if (listings.length < pageSize) break
    from = listings.at(-1)!.storeId
  }
  return found.slice(0, limit)
}
