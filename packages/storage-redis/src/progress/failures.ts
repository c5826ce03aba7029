import type { Failure, Failures, FailuresQuery, KeptFailure, StoreId } from "@eventlog-server/core/backend"
import { attempt } from "../errors.ts"
import type { Listing } from "../lists/StampedList.ts"
import type { RedisNode } from "../node.ts"
import { run } from "../script.ts"
import { listScript, recordScript, settleScript } from "./failures.lua.ts"

/** Stores whose failures are asked for at once. */
const pageSize = 16

/** Where the parts of a kept failure are. */
const firstAtAt = 4
const lastAtAt = 10
const idAt = 16
const restAt = 32

/** What is recorded: the entry's id, and the rest as JSON, which knows how to write what is no text. */
const write = ({ author, entryId, event, message, primaryKey, reason, sequence }: Failure): Buffer =>
  Buffer.concat([entryId, Buffer.from(JSON.stringify({ sequence, event, primaryKey, author, reason, message }))])

const read = (storeId: StoreId, kept: Buffer): KeptFailure => ({
  ...(JSON.parse(kept.toString("utf8", restAt)) as Omit<Failure, "entryId">),
  entryId: Uint8Array.from(kept.subarray(idAt, restAt)),
  storeId,
  attempts: kept.readUInt32BE(0),
  firstAt: kept.readUIntBE(firstAtAt, 6),
  lastAt: kept.readUIntBE(lastAtAt, 6)
})

/** Which failures of one store are wanted. */
interface StoreQuery {
  readonly after: number
  readonly limit: number
  /** The stamp that counts no more where the store has none. */
  readonly stamp?: number | undefined
}

const load = async (
  { keys, redis }: RedisNode,
  storeId: StoreId,
  { after, limit, stamp }: StoreQuery
): Promise<ReadonlyArray<KeptFailure>> => {
  const { failures, state } = keys.store(storeId)
  const kept = await run(redis, listScript, [failures, state], [after, limit, stamp ?? ""])
  return (kept as ReadonlyArray<Buffer>).map((one) => read(storeId, one))
}

/** The failures of stores that are listed behind one. */
const loadBehind = async (
  node: RedisNode,
  after: StoreId | undefined,
  limit: number
): Promise<ReadonlyArray<KeptFailure>> => {
  const loadListed = ({ isOld, stamp, storeId }: Listing) =>
    load(node, storeId as StoreId, { after: 0, limit, stamp: isOld ? stamp : undefined })

  const found: Array<KeptFailure> = []
  let from: string | undefined = after
  while (found.length < limit) {
    const listings = await node.failing.page(from, pageSize)
    const loaded = await Promise.all(listings.map(loadListed))
    await node.failing.takeOff(listings.filter(({ isOld }, index) => isOld && loaded[index]!.length === 0))
    found.push(...loaded.flat())
    if (listings.length < pageSize) break
    from = listings.at(-1)!.storeId
  }
  return found
}

const record = async (node: RedisNode, storeId: StoreId, failures: ReadonlyArray<Failure>): Promise<number> => {
  const { failures: key, state } = node.keys.store(storeId)
  const args = failures.flatMap((failure) => [failure.sequence, write(failure)])
  return Number(
    await node.failing.whileListed(storeId, (stamp) => run(node.redis, recordScript, [key, state], [stamp, ...args]))
  )
}

/** The order of stores is that of their names' bytes. */
const isBefore = (a: StoreId, b: StoreId): boolean => Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0

/** The failures of one store that are wanted. */
const listOne = async (
  node: RedisNode,
  storeId: StoreId,
  { after, limit }: FailuresQuery
): Promise<ReadonlyArray<KeptFailure>> => {
  if (after !== undefined && isBefore(storeId, after.storeId)) return []
  return load(node, storeId, { after: after?.storeId === storeId ? after.sequence : 0, limit })
}

const list = async (node: RedisNode, query: FailuresQuery): Promise<ReadonlyArray<KeptFailure>> => {
  const { after, limit, storeId } = query
  if (storeId !== undefined) return listOne(node, storeId, query)
  const first = after === undefined ? [] : await listOne(node, after.storeId, query)
  return [...first, ...(await loadBehind(node, after?.storeId, limit - first.length))].slice(0, limit)
}

/** `StoreProgress.failures` on Redis. */
export const makeFailures = (node: RedisNode): Failures => ({
  record: (storeId, failures) => attempt("StoreProgress.failures.record", () => record(node, storeId, failures)),
  list: (query) => attempt("StoreProgress.failures.list", () => list(node, query)),
  settle: (storeId, sequences) =>
    attempt("StoreProgress.failures.settle", async () => {
      await run(node.redis, settleScript, [node.keys.store(storeId).failures], sequences)
    })
})
