import { buildExample, killLeftovers, type Running, startServer } from "@eventlog-server/example-todo/testing"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { batches, expectAcked, follow, writeBatches } from "./load.ts"
import { storages } from "./storages.ts"

const count = process.env.EVENTLOG_TEST_LONG ? 100_000 : 2_000

let script: URL

beforeAll(async () => {
  script = new URL("main.js", await buildExample("server"))
})
afterAll(killLeftovers)

const handled = async (servers: ReadonlyArray<Running>): Promise<number> => {
  const stats = await Promise.all(servers.map(async ({ url }) => (await fetch(`${url}/stats`)).json()))
  return stats.reduce((sum, { replayed }) => sum + replayed, 0)
}

describe.each(storages)("two processes on $name", ({ away, flags }) => {
  it.skipIf(away)("bring what is written on both to readers of both, and handle it once", async () => {
    const args = [...(await flags()), "--port", "0", "--session-auth", "off", "--map", "key=store"]
    const servers = [await startServer(script, args), await startServer(script, args)]
    const urls = servers.map(({ url }) => `${url}/eventlog`)

    const readers = urls.flatMap((url) => [follow(url, "key", count), follow(url, "key", count)])
    const writers = [...urls, ...urls].map((url) => writeBatches(url, "key", batches(count / 4, 20)))
    const acked = (await Promise.all(writers)).flatMap((own) => [...own])
    const [ids = [], ...others] = await Promise.all(readers)
    expectAcked(ids, new Map(acked))
    for (const other of others) expect(other).toEqual(ids)

    await expect.poll(() => handled(servers)).toBe(count)
    for (const server of servers) await server.stop()
  })
})
