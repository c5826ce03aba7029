import type { BucketBounds, BucketRange, BucketSelection, FeedEntry, StoreId } from "@eventlog-server/core"
import type { Argument } from "../client.ts"
import type { RedisNode } from "../node.ts"
import { run, type Script } from "../script.ts"
import { boundsScript, bucketScript } from "./bucket.lua.ts"
import { bucketDigest } from "./bucketDigest.ts"
import { readRecord } from "./record.ts"

/** Ranges of one script, which bounds how long the server is busy with it. Entries don't change, so several see the same. */
const maxRanges = 64

const argumentsOf = ({
  afterId,
  events,
  fromSequence,
  primaryKey,
  replayableOnly,
  toSequence
}: BucketRange): ReadonlyArray<Argument> => {
  const digests = Array.from(new Set(events), (event) => Buffer.from(bucketDigest(event, primaryKey), "hex"))
  return [
    fromSequence,
    toSequence,
    replayableOnly ? 1 : 0,
    afterId === undefined ? "" : Buffer.from(afterId),
    digests.length,
    ...digests
  ]
}

/** Asks a script for all ranges, some at a time; answers what it says of each. */
const ask = async (
  { redis }: RedisNode,
  script: Script,
  keys: ReadonlyArray<string>,
  options: ReadonlyArray<Argument>,
  ranges: ReadonlyArray<BucketRange>
): Promise<ReadonlyArray<ReadonlyArray<unknown>>> => {
  const replies: Array<ReadonlyArray<unknown>> = []
  for (let from = 0; from < ranges.length; from += maxRanges) {
    const asked = ranges.slice(from, from + maxRanges).flatMap(argumentsOf)
    replies.push(...((await run(redis, script, keys, [...options, ...asked])) as typeof replies))
  }
  return replies
}

const entriesOf = (reply: ReadonlyArray<unknown>): ReadonlyArray<FeedEntry> => {
  const entries: Array<FeedEntry> = []
  for (let place = 0; place < reply.length; place += 2) {
    entries.push(readRecord(Number(reply[place]), reply[place + 1] as Buffer))
  }
  return entries
}

/** Selects the entries of ranges. */
export const bucket = async (
  node: RedisNode,
  storeId: StoreId,
  ranges: ReadonlyArray<BucketRange>,
  { maxBytes, maxEntries, order }: BucketSelection
): Promise<ReadonlyArray<ReadonlyArray<FeedEntry>>> => {
  const { buckets, feed } = node.keys.store(storeId)
  const replies = await ask(node, bucketScript, [feed, buckets], [order, maxEntries, maxBytes], ranges)
  return replies.map(entriesOf)
}

/** Finds the bounds of ranges. */
export const bucketBounds = async (
  node: RedisNode,
  storeId: StoreId,
  ranges: ReadonlyArray<BucketRange>
): Promise<ReadonlyArray<BucketBounds | undefined>> => {
  const { buckets } = node.keys.store(storeId)
  const replies = await ask(node, boundsScript, [buckets], [], ranges)
  return replies.map((reply) => {
    const [first = 0, last = 0] = reply.map(Number)
    return first === 0 ? undefined : { first, last }
  })
}
