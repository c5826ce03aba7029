import { type Failure, StoreId } from "@eventlog-server/core/backend"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect, Exit, Scope } from "effect"
import { Redis } from "ioredis"
import { afterEach, beforeEach, expect, it } from "vitest"
import { type ImpatientNode, keys, openImpatient } from "./impatient.ts"

const failureAt = (sequence: number): Failure => ({
  ...{ sequence, entryId: new Uint8Array(16).fill(sequence), event: "Set", primaryKey: "a", author: null },
  ...{ reason: "HandlerFailed", message: "no" }
})

describeUnless(redisMissing())("failures on Redis", () => {
  let server: RedisServer
  let redis: Redis
  let scope: Scope.Closeable
  let node: ImpatientNode
  let other: ImpatientNode

  const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
    Effect.runPromise(Scope.provide(effect, scope))

  beforeEach(async () => {
    server = await RedisServer.start("--appendfsync", "no")
    redis = new Redis(server.url)
    scope = Scope.makeUnsafe()
    node = await run(openImpatient(redis, 0))
    other = await run(openImpatient(redis, 0))
  })
  afterEach(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    redis.disconnect()
    await server.stop()
  })

  const record = ({ progress }: ImpatientNode, storeId: StoreId, sequence: number) =>
    run(progress.failures.record(storeId, [failureAt(sequence)]))
  const settle = (storeId: StoreId, sequence: number) => run(node.progress.failures.settle(storeId, [sequence]))
  const list = async () =>
    (await run(node.progress.failures.list({ limit: 1_000 }))).map(({ sequence, storeId }) => `${storeId} ${sequence}`)

  it("are found again in a store that had none left, though nodes remember to have listed it", async () => {
    const [one, two] = [StoreId.make("one"), StoreId.make("two")]
    await record(node, one, 1)
    await record(node, two, 1)
    await record(other, two, 2)
    await settle(two, 1)
    await settle(two, 2)
    expect(await list()).toEqual(["one 1"])
    expect(await redis.zrange(keys.failing.names, "0", "-1")).toEqual(["one"])
    await record(other, two, 3)
    expect(await list()).toEqual(["one 1", "two 3"])
    await settle(two, 3)
    expect(await list()).toEqual(["one 1"])
    await record(node, two, 4)
    expect(await list()).toEqual(["one 1", "two 4"])
  })

  it("are never missing while they are listed, recorded and settled", async () => {
    const storeIds = ["a", "b"].map((name) => StoreId.make(name))
    for (let sequence = 1; sequence <= 100; sequence++) {
      await Promise.all([
        ...storeIds.map((storeId, place) => record([node, other][(sequence + place) % 2]!, storeId, sequence)),
        list(),
        list()
      ])
      expect(await list()).toEqual(storeIds.map((storeId) => `${storeId} ${sequence}`))
      await Promise.all(storeIds.map((storeId) => settle(storeId, sequence)))
      if (sequence % 2 === 0) expect(await list()).toEqual([])
    }
  })
})
