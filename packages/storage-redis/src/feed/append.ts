import type { Appended, FeedRecord, KnownEntry, StoreId } from "@eventlog-server/core/backend"
import type { RedisNode } from "../node.ts"
import { appendScript } from "./append.lua.ts"
import { bucketDigest, digestBytes } from "./bucketDigest.ts"
import { knownArguments } from "./known.ts"
import { read } from "./read.ts"
import { maxRecordBytes, writeRecord } from "./record.ts"

/**
 * What one append may weigh. It is one script, so nothing else runs on the server meanwhile, and Redis takes no value of
 * more than 512 MB. The server's own appends stay far below.
 */
const maxAppendBytes = 128 * 1024 * 1024

const idBytes = 16

/** The greatest id of some records, which may be known already: that one is no greater than what the store has. */
const greatestIdOf = (records: ReadonlyArray<FeedRecord>): Uint8Array =>
  records.reduce<Uint8Array>(
    (greatest, { entry }) => (Buffer.compare(entry.id, greatest) > 0 ? entry.id : greatest),
    new Uint8Array()
  )

/** All records in one value: their greatest id, then for each the digest of its bucket, its length and its bytes. */
const pack = (records: ReadonlyArray<FeedRecord>): Buffer => {
  const headerBytes = digestBytes + 4
  const size = records.reduce((sum, record) => sum + headerBytes + maxRecordBytes(record), idBytes)
  if (size > maxAppendBytes) throw new RangeError(`An append may have ${maxAppendBytes} bytes, not ${size}`)
  const packed = Buffer.allocUnsafe(size)
  packed.set(greatestIdOf(records), 0)
  let end = idBytes
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

/** Repeats lie below the head, which is known where one is new. */
const greatestOf = (slots: ReadonlyArray<Appended>): number =>
  slots.reduce((greatest, { sequence }) => Math.max(greatest, sequence), 0)

/** Appends records by one script. */
export const append = async (
  node: RedisNode,
  storeId: StoreId,
  records: ReadonlyArray<FeedRecord>,
  known: KnownEntry | undefined
): Promise<ReadonlyArray<Appended>> => {
  if (records.length === 0) {
    await read(node, storeId, { from: 1, limits: { maxEntries: 0, maxBytes: 0 }, known })
    return []
  }
  const channel = node.keys.channel(storeId)
  const { buckets, events, feed, ids, state } = node.keys.store(storeId)
  const packed = pack(records)
  const expected = knownArguments(known)
  let slots: ReadonlyArray<Appended> = []
  await node.wakeups.tell(storeId, async (message) => {
    const reply = await node.behind.whileListed(storeId, (stamp) =>
      node.calls.run(
        appendScript,
        [feed, ids, buckets, events, state],
        [packed, ...expected, Buffer.from(node.identity.known ?? []), stamp, channel, message]
      )
    )
    slots = slotsOf(records.length, (reply as ReadonlyArray<unknown>).map(Number))
    return { head: greatestOf(slots) }
  })
  return slots
}
