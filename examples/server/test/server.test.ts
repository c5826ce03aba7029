import {
  buildExample,
  killLeftovers,
  type Running,
  spawnScript,
  startServer
} from "@eventlog-server/example-todo/testing"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { Device } from "@eventlog-server/testkit/devices"
import { makeEntry, todoAdded } from "@eventlog-server/testkit/schema"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { EventJournal } from "effect/eventlog"
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest"

let script: URL

beforeAll(async () => {
  script = new URL("main.js", await buildExample("server"))
}, 60_000)
afterAll(killLeftovers)

const entry = (event: string, madeAt = Date.now()) =>
  makeEntry({ ...todoAdded("1", { text: "Milk" }), id: EventJournal.makeEntryIdUnsafe({ msecs: madeAt }), event })

describeUnless(redisMissing())("examples/server, whose storage goes away", () => {
  it("isn't healthy until it is back", async () => {
    const redis = await RedisServer.start()
    onTestFinished(redis.stop)
    const server = await startServer(script, ["--port", "0", "--storage", "redis", "--url", redis.url])
    onTestFinished(async () => void (await server.stop()))
    const health = async () => {
      const response = await fetch(`${server.url}/healthz`)
      return [response.status, await response.json()]
    }
    expect(await health()).toEqual([200, { status: "ok" }])
    await redis.process.crash()
    expect(await health()).toEqual([503, { status: "unavailable" }])
    await redis.process.start()
    await expect.poll(health).toEqual([200, { status: "ok" }])
  })
})

describe.each(["fastify", "hono"])("examples/server on %s", (adapter) => {
  let server: Running

  beforeAll(async () => {
    server = await startServer(script, [
      ...["--adapter", adapter, "--port", "0", "--path", "/log", "--session-auth", "off"],
      ...["--map", "first=shared", "--map", "second==shared"]
    ])
  })
  afterAll(() => server.stop())

  const request = (method: string, path: string, body?: unknown) =>
    fetch(server.url + path, {
      method,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
    })

  const device = () => Device.open(`${server.url}/log`)

  const write = async (publicKey: string, entries: ReadonlyArray<EventJournal.Entry>) => {
    const writer = await device()
    writer.send({ _tag: "WriteEntries", id: 1, publicKey, entries })
    const { sequenceNumbers } = await writer.next("Ack")
    writer.close()
    return sequenceNumbers
  }

  const rejected = async (publicKey: string) => {
    const reader = await device()
    reader.send({ _tag: "RequestChanges", publicKey, startSequence: 0 })
    const { reason } = await reader.next("Error")
    reader.close()
    return reason
  }

  it("is healthy", async () => {
    const response = await request("GET", "/healthz")
    expect([response.status, await response.json()]).toEqual([200, { status: "ok" }])
  })

  it("gives keys of --map their store, the last = separating, and sends one's writes to the other", async () => {
    const reader = await device()
    reader.send({ _tag: "RequestChanges", publicKey: "second=", startSequence: 0 })
    await reader.next("Subscribed")
    const written = entry("TodoAdded")
    const [sequence] = await write("first", [written])
    const { entries } = await reader.next("Changes")
    expect(entries.map((change) => [change.remoteSequence, change.entry.idString])).toEqual([
      [sequence, written.idString]
    ])
    reader.close()
  })

  it("accepts entries of events that it doesn't know", async () => {
    expect(await write("first", [entry("SomethingNewer")])).toEqual([expect.any(Number)])
  })

  it("appends an event of its own, and devices see it", async () => {
    await request("PUT", "/keys/reader", { storeId: "own events" })
    const reader = await device()
    reader.send({ _tag: "RequestChanges", publicKey: "reader", startSequence: 0 })
    await reader.next("Subscribed")
    const response = await request("POST", "/stores/own%20events/events", {
      event: "TodoAdded",
      payload: { id: "1", text: "Buy milk" },
      runHandlers: false
    })
    expect([response.status, await response.json()]).toEqual([200, { sequenceNumbers: [1] }])
    const { entries } = await reader.next("Changes")
    expect(entries.map(({ entry }) => [entry.event, entry.primaryKey])).toEqual([["TodoAdded", "1"]])
    reader.close()
  })

  it.each([
    ["no JSON", "{", "JSON"],
    ["an unknown event", { event: "TodoEaten", payload: {} }, "TodoEaten"],
    ["an inherited name as event", { event: "toString", payload: {} }, "toString"],
    ["no payload", { event: "TodoAdded" }, "payload"],
    ["a payload of another event", { event: "TodoToggled", payload: { id: "1", text: "x" } }, "done"],
    ["runHandlers that is no boolean", { event: "TodoRemoved", payload: { id: "1" }, runHandlers: "no" }, "runHandlers"]
  ])("refuses %s with 400 and stores nothing", async (_, body, message) => {
    const path = `/stores/${crypto.randomUUID()}/events`
    const refused = await request("POST", path, body)
    expect(refused.status).toBe(400)
    expect((await refused.json()).message).toContain(message)
    const accepted = await request("POST", path, { event: "TodoRemoved", payload: { id: "1" } })
    expect(await accepted.json()).toEqual({ sequenceNumbers: [1] })
  })

  it("maps, refuses to move, and removes a key, whatever characters it has", async () => {
    const key = `a/b+c%20d é${"x".repeat(400)}==`
    const path = `/keys/${encodeURIComponent(key)}`
    expect(await rejected(key)).toBe("NotMapped")
    expect((await request("PUT", path, { storeId: "mine" })).status).toBe(204)
    expect((await request("PUT", path, { storeId: "mine" })).status).toBe(204)
    expect((await request("PUT", path, { storeId: "another" })).status).toBe(409)
    expect(await write(key, [entry("TodoAdded")])).toEqual([1])
    expect((await request("DELETE", path)).status).toBe(204)
    expect(await rejected(key)).toBe("NotMapped")
  })

  it("refuses a key without a store", async () => {
    expect((await request("PUT", "/keys/new", {})).status).toBe(400)
  })

  it("counts", async () => {
    await request("PUT", "/keys/counted", { storeId: "counted" })
    const reader = await device()
    reader.send({ _tag: "RequestChanges", publicKey: "counted", startSequence: 0 })
    await reader.next("Subscribed")
    const before = await (await request("GET", "/stats")).json()
    // There is no handler for what was newer.
    expect(before).toMatchObject({ connections: 1, subscriptions: 1, handlerFailures: 1 })
    expect(before.rss).toBeGreaterThan(1_000_000)

    await write("counted", [entry("TodoAdded"), entry("TodoAdded")])
    await rejected("unknown")
    const after = await (await request("GET", "/stats")).json()
    expect(after.committed - before.committed).toBe(2)
    expect(after.rejected.InvalidRequest - before.rejected.InvalidRequest).toBe(1)
    reader.close()
  })

  it("says so when the port is taken", async () => {
    const { port } = new URL(server.url)
    const { code, stderr } = await spawnScript(script, ["--adapter", adapter, "--port", port]).ended
    expect([code, stderr]).toEqual([1, `Port ${port} is taken: choose another one with --port\n`])
  })

  it("refuses what a page of another site posts, and appends nothing", async () => {
    const before = await (await request("GET", "/stats")).json()
    const post = (origin: string) =>
      fetch(`${server.url}/stores/shared/events`, {
        method: "POST",
        headers: { origin, "content-type": "text/plain" },
        body: JSON.stringify({ event: "TodoAdded", payload: { id: "x", text: "Forged" } })
      })
    expect((await post("https://evil.example")).status).toBe(403)
    expect((await post("null")).status).toBe(403)
    expect(await (await request("GET", "/stats")).json()).toMatchObject({ committed: before.committed })
    expect((await post(server.url)).status).toBe(200)
  })

  it("refuses a browser of another site, and asks nothing of a client without an Origin", async () => {
    const ofAnotherSite = Device.open(`${server.url}/log`, { origin: "https://evil.example" })
    await expect(ofAnotherSite).rejects.toThrow("403")
    const ofThisSite = await Device.open(`${server.url}/log`, { origin: server.url })
    ofThisSite.close()
  })
})

it("examples/server sends a new device only the last of each old event and todo with --compact-older-than", async () => {
  const server = await startServer(script, [
    ...["--port", "0", "--session-auth", "off", "--map", "key=store", "--compact-older-than", "60000"]
  ])
  const device = await Device.open(`${server.url}/eventlog`)
  const anHourAgo = Date.now() - 60 * 60 * 1000
  const entries = [entry("TodoAdded", anHourAgo), entry("TodoAdded", anHourAgo + 1), entry("TodoAdded")]
  device.send({ _tag: "WriteEntries", id: 1, publicKey: "key", entries })
  await device.next("Ack")
  device.send({ _tag: "RequestChanges", publicKey: "key", startSequence: 0 })
  const changes = await device.next("Changes")
  expect(changes.entries.map(({ remoteSequence }) => remoteSequence)).toEqual([2, 3])
  await server.stop()
})

it.each([
  ["fastify", "SIGTERM"],
  ["hono", "SIGTERM"],
  ["hono", "SIGINT"]
] as const)(
  "examples/server on %s closes its connections with 1012 and exits with 0 on %s",
  async (adapter, signal) => {
    const server = await startServer(script, ["--adapter", adapter, "--port", "0"])
    const device = new Device(`${server.url}/eventlog`)
    const hello = await device.next("Hello")
    expect(hello.challenge).toHaveLength(32)
    const ended = await server.stop(signal)
    expect([(await device.untilClosed()).code, ended.code, ended.stderr]).toEqual([1012, 0, ""])
  }
)

describe("the command line of examples/server", () => {
  it("prints the usage on stderr and exits with 2 when a flag is unknown", async () => {
    const { code, stdout, stderr } = await spawnScript(script, ["--verbose"]).ended
    expect([code, stdout]).toEqual([2, ""])
    expect(stderr).toContain("--verbose")
    expect(stderr).toContain("Usage:")
  })

  it("says which --map can't be done", async () => {
    const { code, stderr } = await spawnScript(script, ["--port", "0", "--map", "a=x", "--map", "a=y"]).ended
    const reason = 'The public key "a" belongs, or once belonged, to another store: a key may only return to its own'
    expect([code, stderr]).toEqual([1, `--map a=y: ${reason}\n`])
  })

  it("prints the usage and exits with 0 for --help", async () => {
    const { code, stdout, stderr } = await spawnScript(script, ["--help"]).ended
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toContain("--session-auth required|off")
  })
})
