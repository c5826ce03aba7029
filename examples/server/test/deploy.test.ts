import { buildExample, killLeftovers, type Running, startServer } from "@eventlog-server/example-todo/testing"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { batches, expectAcked, follow, writeBatches } from "./load.ts"
import { storages } from "./storages.ts"

const count = process.env.EVENTLOG_TEST_LONG ? 40_000 : 1_200

const before = new URL("previous/server.mjs", import.meta.url)
let now: URL

beforeAll(async () => {
  now = new URL("main.js", await buildExample("server"))
})
afterAll(killLeftovers)

const stats = async ({ url }: Running) => (await fetch(`${url}/stats`)).json()

const handled = async (servers: ReadonlyArray<Running>): Promise<number> =>
  (await Promise.all(servers.map(stats))).reduce((sum, { replayed }) => sum + replayed, 0)

describe.each(storages)("a deploy on $name", ({ away, flags }) => {
  it.skipIf(away)(
    "changes the tables while the version before goes on working, and nothing is lost on either",
    async () => {
      const args = [...(await flags()), "--port", "0", "--session-auth", "off", "--map", "key=store"]
      const old = await startServer(before, args)
      const oldUrl = `${old.url}/eventlog`
      const reading = follow(oldUrl, "key", count)
      const writing = writeBatches(oldUrl, "key", batches(count / 2, 10))
      // The old one is in the middle of its work when the new one makes its tables.
      await expect.poll(async () => (await stats(old)).committed).toBeGreaterThan(50)
      const fresh = await startServer(now, args)
      const freshUrl = `${fresh.url}/eventlog`
      const more = [
        writeBatches(freshUrl, "key", batches(count / 4, 10)),
        writeBatches(oldUrl, "key", batches(count / 4, 10))
      ]
      const acked = (await Promise.all([writing, ...more])).flatMap((own) => [...own])
      const ids = await reading
      expectAcked(ids, new Map(acked))
      expect(await follow(freshUrl, "key", count)).toEqual(ids)
      await expect.poll(() => handled([old, fresh])).toBe(count)

      // The old one goes; what was its own to do is done by the new one.
      await old.stop()
      const last = await writeBatches(freshUrl, "key", batches(30, 10))
      expectAcked(await follow(freshUrl, "key", count + 30), new Map([...acked, ...last]))
      await fresh.stop()
    }
  )
})
