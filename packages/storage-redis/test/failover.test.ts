import { setTimeout as sleep } from "node:timers/promises"
import { layerAppLogger, StoreId } from "@eventlog-server/core"
import { Effect, Layer } from "effect"
import { Redis } from "ioredis"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { redisBackend } from "../src/index.ts"
import { type Node, openNode } from "./node.ts"
import { makeRecords, wholePage } from "./records.ts"
import { type Detour, openDetour } from "./servers/detour.ts"
import { RedisServer, redisMissing } from "./servers/RedisServer.ts"

describe.skipIf(redisMissing !== undefined)("a replica that takes over", () => {
  const storeId = StoreId.make("store")
  let primary: RedisServer
  let replica: RedisServer
  let detour: Detour
  let clients: ReadonlyArray<Redis>
  let node: Node
  let other: Node
  let errors: Array<string>

  const logger = layerAppLogger({
    ...{ debug: () => {}, info: () => {}, warn: () => {} },
    error: (_, message) => void errors.push(message)
  })
  const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(Effect.provide(effect, logger))
  const idOf = async (node: Node) => Buffer.from(await run(node.feeds.id)).toString("hex")

  const openOn = async (redis: Redis): Promise<Node> => {
    redis.on("error", () => {})
    return openNode(Layer.provide(redisBackend({ redis }).layer, logger))
  }

  beforeEach(async () => {
    errors = []
    primary = await RedisServer.start("--repl-diskless-sync-delay", "0")
    replica = await RedisServer.startReplica(primary)
    detour = await openDetour(primary.port)
    clients = [new Redis(detour.url), new Redis(detour.url)]
    node = await openOn(clients[0]!)
    other = await openOn(clients[1]!)
  })
  afterEach(async () => {
    await node.close()
    await other.close()
    for (const client of clients) client.disconnect()
    await detour.stop()
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
    detour.lead(replica.port)
    await primary.kill()
  }

  it("and has everything goes unnoticed", async () => {
    const id = await idOf(node)
    await run(node.feeds.append(storeId, makeRecords(3)))
    await promote()
    await takeOver()
    expect(await run(node.feeds.append(storeId, makeRecords(1)))).toEqual([{ sequence: 4, isNew: true }])
    expect(await idOf(node)).toBe(id)
    expect(errors).toEqual([])
  })

  it("and lost entries is noticed, also when others have their sequences by then; once by all nodes", async () => {
    const id = await idOf(node)
    await run(other.feeds.id)
    await run(node.feeds.append(storeId, makeRecords(3)))
    await promote()
    const lost = makeRecords(2)
    await run(node.feeds.append(storeId, lost))
    await run(other.feeds.read(storeId, 1, wholePage))
    await takeOver()

    await replica.ask(async (redis) => {
      const fresh = await openOn(redis)
      const appended = await run(fresh.feeds.append(storeId, makeRecords(3)))
      expect(appended.map(({ sequence }) => sequence)).toEqual([4, 5, 6])
      await fresh.close()
    })

    expect(await run(Effect.flip(node.feeds.read(storeId, 6, wholePage)))).toMatchObject({ retryable: true })
    expect(errors).toEqual([expect.stringContaining("sequence 5 is gone")])
    const after = await idOf(node)
    expect(after).not.toBe(id)
    expect(await run(Effect.flip(other.feeds.append(storeId, lost)))).toMatchObject({ retryable: true })
    expect(errors).toHaveLength(2)
    expect(await idOf(other)).toBe(after)

    // From then on it is another history, and devices send what was lost.
    expect((await run(other.feeds.append(storeId, lost))).map(({ sequence }) => sequence)).toEqual([7, 8])
    expect((await run(node.feeds.read(storeId, 1, wholePage))).head).toBe(8)
    expect(errors).toHaveLength(2)
  })

  it("and is empty is noticed by an append", async () => {
    const id = await idOf(node)
    await run(node.feeds.append(storeId, makeRecords(3)))
    await primary.ask((redis) => redis.flushall())
    expect(await run(Effect.flip(node.feeds.append(storeId, makeRecords(1))))).toMatchObject({ retryable: true })
    expect(errors).toEqual([expect.stringContaining("sequence 3 is gone")])
    expect(await idOf(node)).not.toBe(id)
    expect(await run(node.feeds.append(storeId, makeRecords(1)))).toEqual([{ sequence: 1, isNew: true }])
  })
})
