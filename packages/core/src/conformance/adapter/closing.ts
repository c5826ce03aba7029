import { expect, it } from "vitest"
import { type Client, connect } from "./client.ts"
import type { Mount } from "./harness.ts"
import { farewell, greeting, type Recorded, record } from "./recorder.ts"

interface Pair {
  readonly client: Client
  readonly server: Recorded
  readonly closeApp: () => Promise<void>
  readonly url: string
}

const pair = async (mount: Mount): Promise<Pair> => {
  const { close, recorder, url } = await record(mount)
  const client = await connect(url)
  expect(await client.frames.take()).toEqual(greeting)
  return { client, server: await recorder.connections.take(), closeApp: close, url }
}

/** Another connection came and went: whatever the app still had to do for an earlier one is done. */
const settle = async (url: string): Promise<void> => {
  const client = await connect(url)
  client.socket.close()
  await client.closed
}

const endsOnce = async ({ server, url }: Pair): Promise<void> => {
  await server.ends.take()
  await settle(url)
  expect(server.ends.size).toBe(0)
}

/** Websocket libraries give a peer up that doesn't answer a close for half a minute; a test must not wait for that. */
const beforeItIsGivenUp = { timeout: 20_000 }

/** How connections end. */
export const closing = (mount: Mount): void => {
  it("closes with the server's code and reason", async () => {
    const { client, server } = await pair(mount)
    const reason = "r".repeat(123)
    server.transport.close(1008, reason)
    expect(await client.closed).toEqual({ code: 1008, reason })
  })

  it("sends what was queued before it closes", async () => {
    const { client, server } = await pair(mount)
    server.transport.send(new Uint8Array(500_000))
    server.transport.close(1012, "")
    expect((await client.frames.take()).length).toBe(500_000)
    expect((await client.closed).code).toBe(1012)
  })

  it("does nothing when it closes or sends again after the close", async () => {
    const connected = await pair(mount)
    const { client, server } = connected
    server.transport.close(1012, "first")
    server.transport.close(1008, "second")
    server.transport.send(farewell)
    expect(await client.closed).toEqual({ code: 1012, reason: "first" })
    await endsOnce(connected)
    server.transport.send(farewell)
    server.transport.close(1008, "third")
    expect(client.frames.size).toBe(0)
  })

  it("calls closed once when the client closes", async () => {
    const connected = await pair(mount)
    connected.client.socket.close(1000)
    await endsOnce(connected)
  })

  it("calls closed once when the client disappears", async () => {
    const connected = await pair(mount)
    connected.client.socket.terminate()
    await endsOnce(connected)
  })

  it("calls closed once when the client breaks the websocket protocol", async () => {
    const connected = await pair(mount)
    // Text that isn't UTF-8.
    connected.client.socket.send(Uint8Array.of(0xff, 0xfe), { binary: false })
    expect((await connected.client.closed).code).toBe(1007)
    await endsOnce(connected)
  })

  it.each([
    ["that announces more bytes than any server takes", 1009, [0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["of no known type", 1002, [0x83, 0x80, 0, 0, 0, 0]],
    ["that isn't masked", 1002, [0x82, 1, 7]],
    ["of text that isn't UTF-8", 1007, [0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe]]
  ])("tells a client that sends a frame %s so, by %s", async (_, code, frame) => {
    const { recorder, url } = await record(mount)
    const client = await connect(url, { early: { bytes: Uint8Array.from(frame), sent: () => {} } })
    expect((await client.closed).code).toBe(code)
    const { ends, frames } = await recorder.connections.take()
    await ends.take()
    expect(frames.size).toBe(0)
  })

  it("ends at once, with what was queued, when the server terminates", beforeItIsGivenUp, async (context) => {
    const connected = await pair(mount)
    const { client, server } = connected
    const { terminate } = server.transport
    if (terminate === undefined) return context.skip("the runtime can't")
    client.socket.pause()
    for (let i = 0; i < 24; i++) server.transport.send(new Uint8Array(1024 * 1024))
    terminate()
    await endsOnce(connected)
    client.socket.resume()
    expect((await client.closed).code).toBe(1006)
    expect(client.frames.size).toBeLessThan(24)
  })

  it("does nothing when it terminates, pauses or resumes after the end", async () => {
    const connected = await pair(mount)
    const { client, server } = connected
    server.transport.close(1012, "first")
    expect(await client.closed).toEqual({ code: 1012, reason: "first" })
    await endsOnce(connected)
    for (const act of ["pause", "resume", "terminate", "terminate"] as const) server.transport[act]?.()
    server.transport.send(farewell)
    server.transport.close(1008, "second")
    await settle(connected.url)
    expect(server.ends.size).toBe(0)
  })

  it(
    "ends a connection that doesn't answer the close when the server terminates it",
    beforeItIsGivenUp,
    async (context) => {
      const connected = await pair(mount)
      const { client, server } = connected
      const { terminate } = server.transport
      if (terminate === undefined) return context.skip("the runtime can't")
      client.socket.pause()
      server.transport.close(1012, "")
      await settle(connected.url)
      expect(server.ends.size).toBe(0)
      terminate()
      await endsOnce(connected)
    }
  )

  it("closes while it is paused: the client's answer is read", beforeItIsGivenUp, async (context) => {
    const connected = await pair(mount)
    const { client, server } = connected
    const { pause } = server.transport
    if (pause === undefined) return context.skip("the runtime can't pause")
    pause()
    server.transport.close(1008, "enough")
    pause()
    expect(await client.closed).toEqual({ code: 1008, reason: "enough" })
    await endsOnce(connected)
  })

  it("ends a connection alone, not its neighbours", async () => {
    const { recorder, url } = await record(mount)
    const [first, second] = [await connect(url), await connect(url)]
    const served = [await recorder.connections.take(), await recorder.connections.take()]
    first.socket.terminate()
    await Promise.race(served.map(({ ends }) => ends.take()))
    for (const { transport } of served) transport.send(farewell)
    expect(await second.frames.take()).toEqual(greeting)
    expect(await second.frames.take()).toEqual(farewell)
  })

  it("drains the server and closes with 1012 when the app closes", async () => {
    const { client, closeApp, server } = await pair(mount)
    await closeApp()
    expect(await client.frames.take()).toEqual(farewell)
    expect((await client.closed).code).toBe(1012)
    await server.ends.take()
  })
}
