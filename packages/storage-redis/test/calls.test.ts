import { setTimeout as sleep } from "node:timers/promises"
import { type KnownEntry, StoreId } from "@eventlog-server/core/backend"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { makeRecords } from "@eventlog-server/testkit/schema"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect, Exit, Option, Scope, Stream } from "effect"
import { Redis } from "ioredis"
import { afterEach, beforeEach, expect, it } from "vitest"
import { redisBackend } from "../src/index.ts"
import { type Node, openNode } from "./node.ts"

const storeIds = Array.from({ length: 200 }, (_, index) => StoreId.make(`store ${index}`))

const stateOf = (storeId: StoreId): string => `eventlog:{store:${storeId}}:state`

const run = <A, E>(effects: ReadonlyArray<Effect.Effect<A, E>>): Promise<ReadonlyArray<Exit.Exit<A, E>>> =>
  Promise.all(effects.map((effect) => Effect.runPromiseExit(effect)))

const values = async <A, E>(effects: ReadonlyArray<Effect.Effect<A, E>>): Promise<ReadonlyArray<A>> =>
  (await run(effects)).map((exit) => Exit.getSuccess(exit).pipe(Option.getOrThrow))

/** Scripts that clients ran meanwhile. */
const scriptsOf = async (redis: Redis, course: () => Promise<unknown>): Promise<number> => {
  await redis.config("RESETSTAT")
  await course()
  const stats = await redis.info("commandstats")
  return [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].reduce((sum, [, calls]) => sum + Number(calls), 0)
}

/** An entry of each store. */
const write = async ({ feeds }: Node): Promise<ReadonlyArray<KnownEntry>> => {
  const records = storeIds.map(() => makeRecords(1))
  const slots = await values(storeIds.map((storeId, index) => feeds.append(storeId, records[index]!)))
  return slots.map(([slot], index) => ({ sequence: slot!.sequence, id: records[index]![0]!.entry.id }))
}

describeUnless(redisMissing())("calls that are made at once", () => {
  let server: RedisServer
  let redis: Redis
  let node: Node
  let scope: Scope.Closeable
  /** Errors that the client looked at, to know whether it should connect anew. */
  const told: Array<string> = []

  const open = async (...flags: ReadonlyArray<string>) => {
    server = await RedisServer.start("--appendfsync", "no", ...flags)
    redis = new Redis(server.url, { reconnectOnError: ({ message }) => told.push(message) < 0 })
    node = await openNode(redisBackend({ redis }).layer)
    // Once it listens, it remembers which stores it listed.
    await Effect.runPromise(Stream.runHead(node.feeds.wakeups(storeIds[0]!)))
    scope = Scope.makeUnsafe()
  }
  const takeAll = async () => {
    const leases = await values(storeIds.map((storeId) => Scope.provide(node.progress.lease(storeId), scope)))
    return leases.map(Option.getOrThrow)
  }

  beforeEach(() => open())
  afterEach(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await node.close()
    redis.disconnect()
    await server.stop()
  })

  it("go as one command for each hundred stores: appends, leases, cursors and what gives leases back", async () => {
    // The first ones send their scripts.
    await write(node)
    const first = await takeAll()
    await run(first.map((lease, index) => lease.advance({ sequence: 1, id: new Uint8Array([index]) })))
    await Effect.runPromise(Scope.close(scope, Exit.void))
    scope = Scope.makeUnsafe()

    let known: ReadonlyArray<KnownEntry> = []
    const commands = await scriptsOf(redis, async () => {
      known = await write(node)
    })
    expect(commands).toBe(2)
    expect(known.map(({ sequence }) => sequence)).toEqual(storeIds.map(() => 2))
    const leases = await takeAll()
    expect(await scriptsOf(redis, () => values(leases.map((lease, index) => lease.advance(known[index]!))))).toBe(2)
    expect(await Effect.runPromise(node.progress.cursors(storeIds))).toEqual(storeIds.map(() => 2))
    expect(await scriptsOf(redis, () => Effect.runPromise(node.progress.cursors(storeIds)))).toBe(2)
  })

  it("are renewals of leases, whenever those were taken", async () => {
    const hasty = await openNode(redisBackend({ redis, leaseTime: "3 seconds" }).layer)
    const taken = storeIds.slice(0, 20)
    for (const storeId of taken) {
      await Effect.runPromise(Scope.provide(hasty.progress.lease(storeId), scope))
      // Timers of the same moment would go together by themselves.
      await sleep(20)
    }
    const ends = () => Promise.all(taken.map(async (storeId) => Number(await redis.hget(stateOf(storeId), "until"))))
    const before = await ends()
    const commands = await scriptsOf(redis, () =>
      expect.poll(async () => (await ends()).every((end, index) => end > before[index]!), { timeout: 5_000 }).toBe(true)
    )
    expect(commands).toBeLessThan(taken.length / 2)
    await hasty.close()
  })

  it("go alone where they are big", async () => {
    const write = () =>
      values(storeIds.slice(0, 4).map((storeId) => node.feeds.append(storeId, makeRecords(1, { payload: 200_000 }))))
    await write()
    expect(await scriptsOf(redis, write)).toBe(4)
  })

  it("fail each by itself", async () => {
    const known = await write(node)
    const leases = await takeAll()
    // One lease is lost, one entry is gone, and one key is none of ours.
    await redis.hset(stateOf(storeIds[3]!), "until", 0)
    await redis.hdel(`eventlog:{store:${storeIds[5]}}:ids`, Buffer.from(known[5]!.id))
    await redis.del(stateOf(storeIds[7]!))
    await redis.set(stateOf(storeIds[7]!), "text")
    const exits = await run(leases.map((lease, index) => lease.advance(known[index]!)))
    const failures = exits.flatMap((exit, index) =>
      Exit.isFailure(exit) ? [[index, Option.getOrThrow(Exit.findErrorOption(exit))._tag]] : []
    )
    expect(failures).toEqual([
      [3, "LeaseLostError"],
      [5, "FeedLostError"],
      [7, "StorageError"]
    ])
    const others = storeIds.filter((_, index) => ![3, 5, 7].includes(index))
    expect(await Effect.runPromise(node.progress.cursors(others))).toEqual(others.map(() => 1))
  })

  it("fail together where the server takes no writes, and the client is told", async () => {
    await write(node)
    await redis.replicaof("127.0.0.1", 1)
    told.length = 0
    const exits = await run(storeIds.map((storeId) => node.feeds.append(storeId, makeRecords(1))))
    expect(exits.map((exit) => Option.getOrThrow(Exit.findErrorOption(exit)))).toEqual(
      storeIds.map(() => expect.objectContaining({ _tag: "StorageError", retryable: true }))
    )
    expect(told).toEqual([expect.stringMatching(/^READONLY /), expect.stringMatching(/^READONLY /)])
    await redis.replicaof("NO", "ONE")
  })

  it("go one by one where a proxy hides a cluster", async () => {
    await node.close()
    redis.disconnect()
    await server.stop()
    // A server of a cluster with all slots: it takes everything but keys of several slots at once.
    await open("--cluster-enabled", "yes")
    await redis.call("cluster", "ADDSLOTSRANGE", 0, 16_383)
    await expect.poll(async () => redis.cluster("INFO")).toContain("cluster_state:ok")

    const known = await write(node)
    expect(known.map(({ sequence }) => sequence)).toEqual(storeIds.map(() => 1))
    const leases = await takeAll()
    const advance = () => values(leases.map((lease, index) => lease.advance(known[index]!)))
    await advance()
    expect(await scriptsOf(redis, advance)).toBe(storeIds.length)
  })
})
