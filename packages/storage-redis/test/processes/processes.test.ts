import { setTimeout as sleep } from "node:timers/promises"
import { buildExample, killLeftovers } from "@eventlog-server/example-todo/testing"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { TcpProxy } from "@eventlog-server/testkit/network"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest"
import { Fleet } from "./Fleet.ts"

const long = process.env.EVENTLOG_TEST_LONG !== undefined
const timeout = (long ? 15 : 2) * 60_000

describeUnless(redisMissing())(
  "two server processes on Redis",
  () => {
    let script: URL
    let redis: RedisServer
    let detour: TcpProxy
    let fleet: Fleet

    beforeAll(async () => {
      script = new URL("main.js", await buildExample("server"))
    }, 60_000)
    afterAll(killLeftovers)

    beforeEach(async () => {
      redis = await RedisServer.start("--repl-diskless-sync-delay", "0")
      detour = await TcpProxy.open(redis)
      fleet = await Fleet.start(script, detour.through(redis.url), 4)
    })
    afterEach(async () => {
      await fleet.stop()
      await detour.close()
      await redis.stop()
    })

    const untilAcked = async (more: number): Promise<void> => {
      const wanted = fleet.acked() + more
      while (fleet.acked() < wanted) await sleep(5)
    }

    /** Has devices write while something happens, and until all of that is acknowledged. */
    const underLoad = async (course: () => Promise<unknown>): Promise<void> => {
      let isOver = false
      const load = (async () => {
        while (!isOver) await fleet.write(40)
      })()
      await course()
      isOver = true
      await load
      await fleet.expectComplete()
    }

    /** Does something again and again under load; before each time, some more must be acknowledged. */
    const again = (times: number, disturb: (time: number) => Promise<unknown>): Promise<void> =>
      underLoad(async () => {
        for (let time = 0; time < times; time++) {
          await untilAcked(20)
          await disturb(time)
        }
      })

    it("bring every entry to everybody, once and in order", async () => {
      await fleet.write(long ? 100_000 : 1_000)
      await fleet.expectComplete()
    })

    it("lose nothing that was acknowledged when Redis is killed and started again", () =>
      again(long ? 20 : 3, async () => {
        await redis.process.crash()
        await redis.process.start()
      }))

    it("leave no gap when their connections to Redis are killed", () =>
      again(long ? 200 : 8, () =>
        redis.ask((client) =>
          client.call("client", "KILL", "TYPE", Math.random() < 0.5 ? "normal" : "pubsub", "SKIPME", "yes")
        )
      ))

    it("lose nothing that was acknowledged when one of them is killed", () =>
      again(long ? 50 : 5, (time) => fleet.crash(time % 2)))

    it("say so when a replica takes over that lacks entries, and devices send these again", async () => {
      const replica = await RedisServer.startReplica(redis)
      await underLoad(async () => {
        await untilAcked(long ? 5_000 : 100)
        await replica.ask((client) => client.replicaof("NO", "ONE"))
        await untilAcked(100)
        const id = await redis.ask((client) => client.get("eventlog:{id}"))
        detour.lead(replica)

        await replica.ask(async (client) => {
          while ((await client.get("eventlog:{id}")) === id) await sleep(10)
        })
        // They would be closed too, within half a minute.
        for (const device of fleet.devices) device.reconnect()
      })
      expect(await fleet.stop()).toContain("lost entries that were committed")
      await replica.stop()
    })
  },
  { timeout }
)
