import type { Failure, Failures, FailuresQuery, KeptFailure, StoreId } from "@eventlog-server/core/backend"
import { attempt } from "../errors.ts"
import type { Listing } from "../lists/StampedList.ts"
import type { RedisNode } from "../node.ts"
import { run } from "../script.ts"
import { listDueScript, listScript, recordScript, retryScript, settleScript } from "./failures.lua.ts"

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

const read = (storeId: StoreId, kept: Buffer, isDue: boolean): KeptFailure => ({
  ...(JSON.parse(kept.toString("utf8", restAt)) as Omit<Failure, "entryId">),
  entryId: Uint8Array.from(kept.subarray(idAt, restAt)),
  storeId,
  attempts: kept.readUInt32BE(0),
  isDue,
  firstAt: kept.readUIntBE(firstAtAt, 6),
  lastAt: kept.readUIntBE(lastAtAt, 6)
})

/** The keys of a store's failures, as scripts want them. */
const keysOf = ({ keys }: RedisNode, storeId: StoreId): ReadonlyArray<string> => {
  const { failures, retries, state } = keys.store(storeId)
  return [failures, state, retries]
}

/** Which failures of one store are wanted. */
interface StoreQuery {
  readonly isDue?: true | undefined
  readonly after: number
  readonly limit: number
  /** The stamp that counts no more where the store has none. */
  readonly stamp?: number | undefined
}

const load = async (
  node: RedisNode,
  storeId: StoreId,
  { after, isDue, limit, stamp }: StoreQuery
): Promise<ReadonlyArray<KeptFailure>> => {
  const script = isDue === undefined ? listScript : listDueScript
  const reply = await run(node.redis, script, keysOf(node, storeId), [after, limit, stamp ?? ""])
  const found: Array<KeptFailure> = []
  const list = reply as ReadonlyArray<unknown>
  for (let place = 0; place < list.length; place += 2) {
    found.push(read(storeId, list[place] as Buffer, Number(list[place + 1]) === 1))
  }
  return found
}

/** The failures of stores that are listed behind one. */
const loadBehind = async (
  node: RedisNode,
  after: StoreId | undefined,
  { isDue, limit }: Pick<StoreQuery, "isDue" | "limit">
): Promise<ReadonlyArray<KeptFailure>> => {
  const stores = isDue === undefined ? node.failing : node.retrying
  const loadListed = ({ isOld, stamp, storeId }: Listing) =>
    load(node, storeId as StoreId, { isDue, after: 0, limit, stamp: isOld ? stamp : undefined })

  const found: Array<KeptFailure> = []
  let from: string | undefined = after
  while (found.length < limit) {
    const listings = await stores.page(from, pageSize)
    const loaded = await Promise.all(listings.map(loadListed))
    await stores.takeOff(listings.filter(({ isOld }, index) => isOld && loaded[index]!.length === 0))
    found.push(...loaded.flat())
    if (listings.length < pageSize) break
    from = listings.at(-1)!.storeId
  }
  return found
}

const record = async (node: RedisNode, storeId: StoreId, failures: ReadonlyArray<Failure>): Promise<number> => {
  const args = failures.flatMap((failure) => [failure.sequence, write(failure)])
  return Number(
    await node.failing.whileListed(storeId, (stamp) =>
      run(node.redis, recordScript, keysOf(node, storeId), [stamp, ...args])
    )
  )
}

/** The order of stores is that of their names' bytes. */
const isBefore = (a: StoreId, b: StoreId): boolean => Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0

/** The failures of one store that are wanted. */
const listOne = async (
  node: RedisNode,
  storeId: StoreId,
  { after, isDue, limit }: FailuresQuery
): Promise<ReadonlyArray<KeptFailure>> => {
  if (after !== undefined && isBefore(storeId, after.storeId)) return []
  return load(node, storeId, { isDue, after: after?.storeId === storeId ? after.sequence : 0, limit })
}

const list = async (node: RedisNode, query: FailuresQuery): Promise<ReadonlyArray<KeptFailure>> => {
  const { after, isDue, limit, storeId } = query
  if (storeId !== undefined) return listOne(node, storeId, query)
  const first = after === undefined ? [] : await listOne(node, after.storeId, query)
  const rest = await loadBehind(node, after?.storeId, { isDue, limit: limit - first.length })
  return [...first, ...rest].slice(0, limit)
}

/** `StoreProgress.failures` on Redis. */
export const makeFailures = (node: RedisNode): Failures => ({
  record: (storeId, failures) => attempt("StoreProgress.failures.record", () => record(node, storeId, failures)),
  list: (query) => attempt("StoreProgress.failures.list", () => list(node, query)),
  retry: (storeId, sequences) =>
    attempt("StoreProgress.failures.retry", async () => {
      await node.retrying.whileListed(storeId, (stamp) =>
        run(node.redis, retryScript, keysOf(node, storeId), [stamp, ...sequences])
      )
    }),
  settle: (storeId, sequences) =>
    attempt("StoreProgress.failures.settle", async () => {
      const { failures, retries } = node.keys.store(storeId)
      await run(node.redis, settleScript, [failures, retries], sequences)
    })
})
