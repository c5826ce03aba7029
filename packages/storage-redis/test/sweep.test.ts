import { type KnownEntry, StoreId } from "@eventlog-server/core/backend"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { makeRecords } from "@eventlog-server/testkit/schema"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect, Exit, Option, Scope } from "effect"
import { Redis } from "ioredis"
import { afterEach, beforeEach, expect, it } from "vitest"
import { appendScript } from "../src/feed/append.lua.ts"
import { run as runScript } from "../src/script.ts"
import { type ImpatientNode, keys, openImpatient } from "./impatient.ts"

const isLong = process.env.EVENTLOG_TEST_LONG !== undefined

const manyStores = isLong ? 50_000 : 1_200
const rounds = isLong ? 3_000 : 200

describeUnless(redisMissing())("a sweep on Redis", () => {
  let server: RedisServer
  let redis: Redis
  let scope: Scope.Closeable

  beforeEach(async () => {
    server = await RedisServer.start("--appendfsync", "no")
    redis = new Redis(server.url)
    scope = Scope.makeUnsafe()
  })
  afterEach(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    redis.disconnect()
    await server.stop()
  })

  const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
    Effect.runPromise(Scope.provide(effect, scope))

  /** A node. @param stay how long stores stay on the list at least, in milliseconds */
  const open = (stay?: number): Promise<ImpatientNode> => run(openImpatient(redis, stay))

  /** Gives a store an entry. */
  const append = async ({ feeds }: ImpatientNode, storeId: StoreId): Promise<KnownEntry> => {
    const records = makeRecords(1)
    const [slot] = await run(feeds.append(storeId, records))
    return { sequence: slot!.sequence, id: records[0]!.entry.id }
  }

  const handle = ({ progress }: ImpatientNode, storeId: StoreId, known: KnownEntry): Promise<void> =>
    Effect.runPromise(
      Effect.scoped(Effect.flatMap(progress.lease(storeId), (lease) => Option.getOrThrow(lease).advance(known)))
    )

  const behind = ({ progress }: ImpatientNode) => run(progress.behind(undefined, 1_000))

  const isListed = async (storeId: StoreId): Promise<boolean> =>
    (await redis.zscore(keys.behind.names, storeId)) !== null

  /** Scripts that clients ran meanwhile: a sweep is made of nothing else. */
  const scriptsOf = async (course: () => Promise<unknown>): Promise<number> => {
    await redis.config("RESETSTAT")
    await course()
    const stats = await redis.info("commandstats")
    return [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].reduce((sum, [, calls]) => sum + Number(calls), 0)
  }

  it("costs one command, whatever the number of stores at rest", async () => {
    const [node, later] = [await open(), await open(0)]
    // The first ones send their scripts.
    for (const storeId of ["first", "second"].map((name) => StoreId.make(name))) {
      await handle(node, storeId, await append(node, storeId))
      await behind(node)
    }
    const storeIds = Array.from({ length: manyStores - 2 }, (_, index) => StoreId.make(`store ${index}`))
    for (let from = 0; from < storeIds.length; from += 500) {
      const part = storeIds.slice(from, from + 500)
      await Promise.all(part.map(async (storeId) => handle(node, storeId, await append(node, storeId))))
    }
    // Those that were used lately are looked at, for two minutes; then once more.
    const pages = Math.ceil(manyStores / 500)
    const looks = Math.ceil(manyStores / 100)
    const fresh = await scriptsOf(() => behind(node))
    expect(fresh).toBeGreaterThanOrEqual(looks)
    expect(fresh).toBeLessThanOrEqual(looks + pages + 1)
    const last = await scriptsOf(() => behind(later))
    expect(last).toBeLessThanOrEqual(looks + 2 * pages + 3)
    const idle = await scriptsOf(() => behind(node))
    expect(idle).toBe(1)
    if (isLong) process.stdout.write(`commands of sweeps of ${manyStores} stores at rest: ${fresh}, ${last}, ${idle}\n`)
  })

  it("finds a store again that was taken off, though nodes remember to have listed it", async () => {
    const [node, other] = [await open(0), await open(0)]
    const storeId = StoreId.make("store")
    await append(other, storeId)
    await handle(node, storeId, await append(node, storeId))
    expect(await behind(node)).toEqual([])
    expect(await isListed(storeId)).toBe(false)
    for (const writer of [other, node]) {
      const known = await append(writer, storeId)
      expect(await behind(node)).toEqual([storeId])
      await handle(node, storeId, known)
      expect(await behind(node)).toEqual([])
      expect(await isListed(storeId)).toBe(false)
    }
  })

  it("leaves a store on the list that is listed anew before it is taken off", async () => {
    const [node, other] = [await open(0), await open(0)]
    const storeId = StoreId.make("store")
    await handle(node, storeId, await append(node, storeId))
    const listings = await node.behind.page(undefined, 10)
    expect(listings).toMatchObject([{ storeId, isOld: true }])
    await append(other, storeId)
    await node.behind.takeOff(listings)
    expect(await behind(node)).toEqual([storeId])
  })

  it("refuses an append that listed its store before, and comes later", async () => {
    const node = await open(0)
    const storeId = StoreId.make("store")
    const { buckets, events, feed, ids, state } = keys.store(storeId)
    const stamps: Array<number> = []
    await node.behind.whileListed(storeId, async (stamp) => {
      stamps.push(stamp)
      // The store has nothing yet, so it is taken off.
      if (stamps.length === 1) expect(await behind(node)).toEqual([])
      expect(await isListed(storeId)).toBe(stamps.length > 1)
      return runScript(
        redis,
        appendScript.one,
        [feed, ids, buckets, events, state],
        ["", "", "", "", "", stamp, "channel", ""]
      )
    })
    expect(stamps).toHaveLength(2)
    expect(stamps[1]).toBeGreaterThan(stamps[0]!)
    expect(await isListed(storeId)).toBe(true)
  })

  it("misses no store, however many nodes sweep while others write and process", async () => {
    const nodes = [await open(0), await open(0), await open()]
    const storeIds = ["a", "b", "c"].map((name) => StoreId.make(name))
    const pick = <A>(from: ReadonlyArray<A>): A => from[Math.floor(Math.random() * from.length)]!
    for (let round = 0; round < rounds; round++) {
      const storeId = pick(storeIds)
      await Promise.all([
        append(pick(nodes), storeId).then((known) => (round % 3 === 0 ? undefined : handle(nodes[0]!, storeId, known))),
        append(pick(nodes), pick(storeIds)),
        ...nodes.map(behind)
      ])
      const heads = await Promise.all(storeIds.map((storeId) => run(nodes[0]!.feeds.head(storeId))))
      const cursors = await run(nodes[0]!.progress.cursors(storeIds))
      const expected = storeIds.filter((_, index) => heads[index]!.sequence !== cursors[index])
      expect(await behind(nodes[1]!)).toEqual(expected)
    }
  })
})
