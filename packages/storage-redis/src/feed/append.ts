import type { Appended, FeedRecord, StoreId } from "@eventlog-server/core"
import type { RedisNode } from "../node.ts"
import { run, script } from "../script.ts"
import { appendScript } from "./append.lua.ts"
import { bucketDigest, digestBytes } from "./bucketDigest.ts"
import { seenArguments } from "./history.ts"
import { maxRecordBytes, writeRecord } from "./record.ts"

/**
 * What one append may weigh. It is one script, so nothing else runs on the server meanwhile, and Redis takes no value of
 * more than 512 MB. The server's own appends stay far below.
 */
const maxAppendBytes = 128 * 1024 * 1024

const listScript = script(`return redis.call('ZADD', KEYS[1], 0, ARGV[1])`)

/** Lists the store before its first entry is written: one that is listed in vain does no harm, a missing one would. */
const ensureListed = async ({ keys, listed, redis }: RedisNode, storeId: StoreId): Promise<void> => {
  if (listed.has(storeId)) return
  await run(redis, listScript, [keys.stores], [storeId])
  listed.add(storeId)
}

/** All records in one value: for each the digest of its bucket, its length and its bytes. */
const pack = (records: ReadonlyArray<FeedRecord>): Buffer => {
  const headerBytes = digestBytes + 4
  const size = records.reduce((sum, record) => sum + headerBytes + maxRecordBytes(record), 0)
  if (size > maxAppendBytes) throw new RangeError(`An append may have ${maxAppendBytes} bytes, not ${size}`)
  const packed = Buffer.allocUnsafe(size)
  let end = 0
  for (const record of records) {
    packed.write(bucketDigest(record.entry.event, record.entry.primaryKey), end, "hex")
    const begin = end + headerBytes
    const next = writeRecord(record, packed, begin)
    packed.writeUInt32BE(next - begin, begin - 4)
    end = next
  }
  return packed.subarray(0, end)
}

/** A slot for each record. @param reply the head before, then the places and sequences of records that were there */
const slotsOf = (count: number, [head = 0, ...repeats]: ReadonlyArray<number>): ReadonlyArray<Appended> => {
  const slots: Array<Appended> = []
  let next = head + 1
  let repeat = 0
  for (let place = 0; place < count; place++) {
    if (repeats[repeat] === place) {
      slots.push({ sequence: repeats[repeat + 1]!, isNew: false })
      repeat += 2
    } else slots.push({ sequence: next++, isNew: true })
  }
  return slots
}

const remember = (
  { identity, seen }: RedisNode,
  storeId: StoreId,
  records: ReadonlyArray<FeedRecord>,
  slots: ReadonlyArray<Appended>
): void => {
  const last = slots.reduce((last, slot, place) => (slot.sequence > slots[last]!.sequence ? place : last), 0)
  seen.see(storeId, { sequence: slots[last]!.sequence, id: records[last]!.entry.id, remoteId: identity.known })
}

/** Appends records by one script. */
export const append = async (
  node: RedisNode,
  storeId: StoreId,
  records: ReadonlyArray<FeedRecord>
): Promise<ReadonlyArray<Appended>> => {
  if (records.length === 0) return []
  const packed = pack(records)
  await ensureListed(node, storeId)
  const { buckets, feed, ids, state } = node.keys.store(storeId)
  const reply = await node.wakeups.tell(node.keys.channel(storeId), (message) =>
    run(
      node.redis,
      appendScript,
      [feed, ids, buckets, state],
      [packed, ...seenArguments(node.seen.last(storeId)), node.keys.channel(storeId), message]
    )
  )
  const slots = slotsOf(records.length, (reply as ReadonlyArray<unknown>).map(Number))
  remember(node, storeId, records, slots)
  return slots
}
