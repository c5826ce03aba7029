import { setTimeout as sleep } from "node:timers/promises"
import { buildExample, killLeftovers } from "@eventlog-server/example-todo/testing"
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from "vitest"
import { RedisServer, redisMissing } from "../servers/RedisServer.ts"
import { Fleet } from "./Fleet.ts"

const long = process.env.EVENTLOG_TEST_LONG !== undefined

const minute = 60_000

describe.skipIf(redisMissing !== undefined)(
  "two server processes on Redis",
  { timeout: (long ? 15 : 2) * minute },
  () => {
    let script: URL
    let redis: RedisServer
    let fleet: Fleet

    beforeAll(async () => {
      script = new URL("main.js", await buildExample("server"))
    }, 60_000)
    afterAll(killLeftovers)

    beforeEach(async () => {
      redis = await RedisServer.start()
      fleet = await Fleet.start(script, redis.url, 4)
    })
    afterEach(async () => {
      await fleet.stop()
      await redis.stop()
    })

    /** Does something again and again while devices write; after each, some more must be acknowledged. */
    const underLoad = async (times: number, disturb: (time: number) => Promise<unknown>): Promise<void> => {
      let isOver = false
      const load = (async () => {
        while (!isOver) await fleet.write(40)
      })()
      for (let time = 0; time < times; time++) {
        const before = fleet.acked()
        while (fleet.acked() < before + 20) await sleep(5)
        await disturb(time)
      }
      isOver = true
      await load
      await fleet.expectComplete()
    }

    it("bring every entry to everybody, once and in order", async () => {
      await fleet.write(long ? 100_000 : 2_000)
      await fleet.expectComplete()
    })

    it("lose nothing that was acknowledged when Redis is killed and started again", () =>
      underLoad(long ? 20 : 3, async () => {
        await redis.kill()
        await redis.start()
      }))

    it("leave no gap when their connections to Redis are killed", () =>
      underLoad(long ? 200 : 8, () =>
        redis.ask(async (client) => {
          await client.call("client", "KILL", "TYPE", Math.random() < 0.5 ? "normal" : "pubsub", "SKIPME", "yes")
        })
      ))

    it("lose nothing that was acknowledged when one of them is killed", () =>
      underLoad(long ? 50 : 5, (time) => fleet.crash(time % 2)))
  }
)
