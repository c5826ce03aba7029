import type { BucketBounds, BucketRange, BucketSelection, FeedEntry, StoreId } from "@eventlog-server/core/backend"
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

/** Asks a script for some ranges; returns what it says of each. */
const ask = async (
  { redis }: RedisNode,
  script: Script,
  keys: ReadonlyArray<string>,
  options: ReadonlyArray<Argument>,
  ranges: ReadonlyArray<BucketRange>
): Promise<ReadonlyArray<ReadonlyArray<unknown>>> =>
  (await run(redis, script, keys, [...options, ...ranges.flatMap(argumentsOf)])) as ReadonlyArray<
    ReadonlyArray<unknown>
  >

/** The ranges, some at a time. */
function* partsOf(ranges: ReadonlyArray<BucketRange>): Generator<ReadonlyArray<BucketRange>> {
  for (let from = 0; from < ranges.length; from += maxRanges) yield ranges.slice(from, from + maxRanges)
}

/** The bytes of a reply's entries, which each stored one begins with. */
const bytesOf = (reply: ReadonlyArray<unknown>): number => {
  let bytes = 0
  for (let place = 1; place < reply.length; place += 2) bytes += (reply[place] as Buffer).readUInt32BE(0)
  return bytes
}

const entriesOf = (reply: ReadonlyArray<unknown>): ReadonlyArray<FeedEntry> => {
  const entries: Array<FeedEntry> = []
  for (let place = 0; place < reply.length; place += 2) {
    entries.push(readRecord(Number(reply[place]), reply[place + 1] as Buffer))
  }
  return entries
}

/** Selects the entries of ranges, of as many as fit together. */
export const bucket = async (
  node: RedisNode,
  storeId: StoreId,
  ranges: ReadonlyArray<BucketRange>,
  { maxBytes, maxEntries, maxTotalBytes = Number.MAX_SAFE_INTEGER, order }: BucketSelection
): Promise<ReadonlyArray<ReadonlyArray<FeedEntry>>> => {
  const { buckets, feed } = node.keys.store(storeId)
  const found: Array<ReadonlyArray<FeedEntry>> = []
  let room = maxTotalBytes
  for (const part of partsOf(ranges)) {
    const options = [order, maxEntries, maxBytes, room, found.length === 0 ? 1 : 0]
    const replies = await ask(node, bucketScript, [feed, buckets], options, part)
    for (const reply of replies) {
      room -= bytesOf(reply)
      found.push(entriesOf(reply))
    }
    if (replies.length < part.length) break
  }
  return found
}

/** Finds the bounds of ranges. */
export const bucketBounds = async (
  node: RedisNode,
  storeId: StoreId,
  ranges: ReadonlyArray<BucketRange>
): Promise<ReadonlyArray<BucketBounds | undefined>> => {
  const { buckets } = node.keys.store(storeId)
  const found: Array<BucketBounds | undefined> = []
  for (const part of partsOf(ranges)) {
    for (const reply of await ask(node, boundsScript, [buckets], [], part)) {
      const [first = 0, last = 0] = reply.map(Number)
      found.push(first === 0 ? undefined : { first, last })
    }
  }
  return found
}
