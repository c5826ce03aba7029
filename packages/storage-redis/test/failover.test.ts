import { setTimeout as sleep } from "node:timers/promises"
import { FeedLostError, type FeedRecord, type KnownEntry, type Lease, StoreId } from "@eventlog-server/core/backend"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { TcpProxy } from "@eventlog-server/testkit/network"
import { makeRecords } from "@eventlog-server/testkit/schema"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect, Option } from "effect"
import { Redis } from "ioredis"
import { afterEach, beforeEach, expect, it } from "vitest"
import { redisBackend } from "../src/index.ts"
import { type Node, openNode } from "./node.ts"
import { wholePage } from "./records.ts"

describeUnless(redisMissing())("a replica that takes over", () => {
  const storeId = StoreId.make("store")
  let primary: RedisServer
  let replica: RedisServer
  let detour: TcpProxy
  let clients: ReadonlyArray<Redis>
  let node: Node
  let other: Node

  const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)
  const knownOf = (sequence: number, record: FeedRecord | undefined): KnownEntry => ({ sequence, id: record!.entry.id })
  const lostAt = (sequence: number) => new FeedLostError({ storeId, sequence })

  const openOn = async (redis: Redis): Promise<Node> => {
    redis.on("error", () => {})
    return openNode(redisBackend({ redis }).layer)
  }

  beforeEach(async () => {
    primary = await RedisServer.start("--repl-diskless-sync-delay", "0")
    replica = await RedisServer.startReplica(primary)
    detour = await TcpProxy.open(primary)
    clients = [new Redis(detour.port), new Redis(detour.port)]
    node = await openOn(clients[0]!)
    other = await openOn(clients[1]!)
  })
  afterEach(async () => {
    await node.close()
    await other.close()
    for (const client of clients) client.disconnect()
    await detour.close()
    await replica.stop()
    await primary.stop()
  })

  /** Waits until the replica has everything, then makes it a primary. What is written from now on is lost. */
  const promote = async () => {
    await primary.ask(async (redis) => {
      await redis.set("last", "1")
      while ((await redis.wait(1, 1_000)) < 1) await sleep(10)
    })
    await replica.ask((redis) => redis.replicaof("NO", "ONE"))
  }

  const takeOver = async () => {
    detour.lead(replica)
    await primary.process.crash()
  }

  it("and has everything goes unnoticed", async () => {
    const id = await run(node.admin.id)
    const records = makeRecords(3)
    await run(node.feeds.append(storeId, records))
    await promote()
    await takeOver()
    const appended = await run(node.feeds.append(storeId, makeRecords(1), knownOf(3, records[2])))
    expect(appended).toEqual([{ sequence: 4, isNew: true }])
    expect(await run(node.admin.id)).toEqual(id)
  })

  it("and lost entries is noticed, also when others have their sequences by then; the id changes once", async () => {
    const kept = makeRecords(3)
    const lost = makeRecords(2)
    const id = await run(node.admin.id)
    await run(node.feeds.append(storeId, kept))
    await promote()
    await run(node.feeds.append(storeId, lost, knownOf(3, kept[2])))
    const known = knownOf(5, lost[1])
    await run(other.feeds.read(storeId, 1, wholePage, known))
    await takeOver()

    await replica.ask(async (redis) => {
      const fresh = await openOn(redis)
      const appended = await run(fresh.feeds.append(storeId, makeRecords(3)))
      expect(appended.map(({ sequence }) => sequence)).toEqual([4, 5, 6])
      await fresh.close()
    })

    expect(await run(Effect.flip(node.feeds.read(storeId, 6, wholePage, known)))).toEqual(lostAt(5))
    expect(await run(Effect.flip(other.feeds.append(storeId, lost, known)))).toEqual(lostAt(5))
    expect((await run(node.feeds.head(storeId))).sequence).toBe(6)
    const rotation = await run(node.admin.rotateId(id))
    expect(rotation).toEqual({ id: expect.any(Uint8Array), isNew: true })
    expect(rotation.id).not.toEqual(id)
    expect(await run(other.admin.rotateId(id))).toEqual({ id: rotation.id, isNew: false })

    // From then on it is another history, and devices send what was lost.
    const again = await run(other.feeds.append(storeId, lost, knownOf(3, kept[2])))
    expect(again.map(({ sequence }) => sequence)).toEqual([7, 8])
    expect((await run(node.feeds.read(storeId, 1, wholePage, knownOf(8, lost[1])))).head).toBe(8)
  })

  it("and is empty is noticed by an append", async () => {
    const records = makeRecords(3)
    await run(node.feeds.append(storeId, records))
    await primary.ask((redis) => redis.flushall())
    const appending = node.feeds.append(storeId, makeRecords(1), knownOf(3, records[2]))
    expect(await run(Effect.flip(appending))).toEqual(lostAt(3))
    expect(await run(node.feeds.append(storeId, makeRecords(1)))).toEqual([{ sequence: 1, isNew: true }])
  })

  it("and lost what handlers saw moves no cursor over what has its sequence by then", async () => {
    const kept = makeRecords(3)
    const lost = makeRecords(1)
    await run(node.feeds.append(storeId, kept))
    await run(
      Effect.gen(function* () {
        const lease: Lease = Option.getOrThrow(yield* node.progress.lease(storeId))
        yield* lease.advance(knownOf(3, kept[2]))
        yield* Effect.promise(promote)
        yield* node.feeds.append(storeId, lost)
        yield* Effect.promise(takeOver)
        yield* node.feeds.append(storeId, makeRecords(1))
        expect(yield* Effect.flip(lease.advance(knownOf(4, lost[0])))).toEqual(lostAt(4))
      }).pipe(Effect.scoped)
    )
    expect(await run(other.progress.cursors([storeId]))).toEqual([3])
    expect(await run(other.progress.behind(undefined, 10))).toEqual([storeId])
  })
})
