import type { Redis } from "ioredis"

/** An item that is still to be bought. */
export interface Item {
  readonly id: string
  readonly text: string
}

/**
 * The lists as the events left them, one hash for each. After a crash some events come again, in their order: setting and
 * deleting twice is like once.
 */
export const makeLists = (redis: Redis, prefix: string) => {
  const keyOf = (storeId: string) => `${prefix}list:${storeId}`
  return {
    add: (storeId: string, { id, text }: Item) => redis.hset(keyOf(storeId), id, text),
    buy: (storeId: string, { id }: { readonly id: string }) => redis.hdel(keyOf(storeId), id),
    items: async (storeId: string): Promise<ReadonlyArray<Item>> =>
      Object.entries(await redis.hgetall(keyOf(storeId))).map(([id, text]) => ({ id, text }))
  }
}
