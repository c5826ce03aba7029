import { buildExample, killLeftovers, type Running, startServer } from "@eventlog-server/example-todo/testing"
import { Device } from "@eventlog-server/testkit/devices"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeEntries, writeBatches } from "./load.ts"
import { storages } from "./storages.ts"

const isLong = process.env.EVENTLOG_TEST_LONG !== undefined

const count = isLong ? 1_000_000 : 1_500
const batch = isLong ? 1_000 : 50
const anHour = 60 * 60 * 1000
const MiB = 1024 * 1024

/** What the server may need more for a long history than for a short one: pages on their way, and what V8 hasn't freed. */
const maxGrowth = 200 * MiB

let script: URL

beforeAll(async () => {
  script = new URL("main.js", await buildExample("server"))
})
afterAll(killLeftovers)

const rssOf = async ({ url }: Running): Promise<number> => (await (await fetch(`${url}/stats`)).json()).rss

/** Follows a store to its head as a new device does; answers how much it got, and the most memory that the server had. */
const bootstrap = async (server: Running) => {
  const device = await Device.open(`${server.url}/eventlog`)
  let maxRss = await rssOf(server)
  const startedAt = performance.now()
  device.send({ _tag: "RequestChanges", publicKey: "key", startSequence: 1 })
  let entries = 0
  let last = 0
  let firstPage = 0
  for (let page = 0; last < count; page++) {
    const changes = await device.next("Changes")
    if (page === 0) firstPage = performance.now() - startedAt
    entries += changes.entries.length
    last = changes.entries.at(-1)?.remoteSequence ?? last
    if (page % 100 === 0) maxRss = Math.max(maxRss, await rssOf(server))
  }
  await device.close()
  return { entries, maxRss, firstPage, millis: performance.now() - startedAt }
}

describe.each(storages)("a long history on $name", ({ away, flags, name }) => {
  it.skipIf(away)("reaches a new device page by page, as it is and compacted", { timeout: 30 * 60_000 }, async () => {
    const args = [...(await flags()), "--port", "0", "--session-auth", "off", "--map", "key=store"]
    const writing = await startServer(script, args)
    const madeAt = Date.now() - 2 * anHour
    let left = count / batch
    // In the order of their ids, as far as possible: handlers would be given a hundred conflicts each otherwise.
    const next = () => (left-- > 0 ? makeEntries(batch, madeAt - left) : undefined)
    await Promise.all([1, 2, 3, 4].map(() => writeBatches(`${writing.url}/eventlog`, "key", next)))
    await writing.stop()

    for (const more of [[], ["--compact-older-than", String(anHour)]]) {
      const server = await startServer(script, [...args, ...more])
      const before = await rssOf(server)
      const { entries, firstPage, maxRss, millis } = await bootstrap(server)
      // Compacted, each todo has one entry: the last.
      expect(entries).toBe(more.length === 0 ? count : batch)
      expect(maxRss - before).toBeLessThan(maxGrowth)
      await server.stop()
      if (!isLong) continue
      const growth = Math.round((maxRss - before) / MiB)
      process.stdout.write(
        `${name}${more.length === 0 ? "" : ", compacted"}: ${count} entries in ${Math.round(millis)} ms, ` +
          `the first page after ${Math.round(firstPage)} ms, ${growth} MiB more memory\n`
      )
    }
  })
})
