import type { RedisClient } from "../client.ts"
import { run, script } from "../script.ts"

const namesScript = script(`return redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])`)

/** Names that are looked up at once. */
const maxNames = 500

/**
 * A page of what a list names, in the order of the names' bytes. What is named lies elsewhere, on another server of a
 * cluster perhaps, so a name may be one of nothing: it is passed over.
 */
export const pageOf = async <A>(
  redis: RedisClient,
  list: string,
  after: string | undefined,
  limit: number,
  load: (name: string) => Promise<A | undefined>
): Promise<ReadonlyArray<A>> => {
  const page: Array<A> = []
  let from = after === undefined ? "-" : `(${after}`
  while (page.length < limit) {
    const wanted = Math.min(limit - page.length, maxNames)
    const names = ((await run(redis, namesScript, [list], [from, wanted])) as ReadonlyArray<Buffer>).map(String)
    const loaded = await Promise.all(names.map(load))
    page.push(...loaded.filter((item) => item !== undefined))
    if (names.length < wanted) break
    from = `(${names.at(-1)}`
  }
  return page
}
