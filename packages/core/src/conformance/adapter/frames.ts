import { expect, it } from "vitest"
import type { WebSocket } from "ws"
import { connect, rawFrame } from "./client.ts"
import type { Mount } from "./harness.ts"
import { greeting, maxFrameBytes, record } from "./recorder.ts"

const bytes = (size: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => (i * 31 + seed) & 255)

const signal = () => Promise.withResolvers<void>()

const megabyte = 1024 * 1024

/** Sends that many frames, each when the one before is on its way, and tells how many are. */
const sendOneByOne = (socket: WebSocket, count: number): { readonly sent: number } => {
  const progress = { sent: 0 }
  const next = (): void =>
    socket.send(new Uint8Array(maxFrameBytes).fill(progress.sent), () => {
      if (++progress.sent < count) next()
    })
  next()
  return progress
}

/** Waits until nothing more is sent, though everybody else is served. */
const stalls = async (progress: { readonly sent: number }, url: string): Promise<void> => {
  for (let last = -1; progress.sent !== last; ) {
    last = progress.sent
    const other = await connect(url)
    await other.frames.take()
    other.socket.close()
    await other.closed
  }
}

/** Pings as fast as the server reads, until it ends the connection or that many bytes were sent. */
const pingUntilClosed = async (socket: WebSocket, limit: number): Promise<void> => {
  const [payload, round] = [new Uint8Array(125), 500]
  for (let sent = 0; sent < limit && socket.readyState === socket.OPEN; sent += round * payload.length) {
    for (let i = 1; i < round; i++) socket.ping(payload, true, () => {})
    await new Promise((resolve) => socket.ping(payload, true, resolve))
  }
}

/** How frames cross in both directions. */
export const frames = (mount: Mount): void => {
  it("sends what the server sends while it connects", async () => {
    const { url } = await record(mount)
    expect(await (await connect(url)).frames.take()).toEqual(greeting)
  })

  it("loses no frame that arrives before the upgrade is answered", async () => {
    const [asked, sent, answer] = [signal(), signal(), signal()]
    const authenticate = () => {
      asked.resolve()
      return answer.promise
    }
    const { recorder, url } = await record(mount, { authenticate })
    const bytes = Uint8Array.from([...rawFrame([7]), ...rawFrame([8, 8])])
    const connecting = connect(url, { early: { bytes, sent: sent.resolve } })
    await Promise.all([asked.promise, sent.promise])
    answer.resolve()
    await connecting
    const { frames } = await recorder.connections.take()
    expect(await frames.take()).toEqual(Uint8Array.of(7))
    expect(await frames.take()).toEqual(Uint8Array.of(8, 8))
  })

  it("delivers frames of every size whole and in order, both ways", async () => {
    const { recorder, url } = await record(mount)
    const client = await connect(url)
    const { frames, transport } = await recorder.connections.take()
    expect(await client.frames.take()).toEqual(greeting)
    const sizes = [0, 1, 125, 126, 127, 65_535, maxFrameBytes, ...Array.from({ length: 100 }, (_, i) => i * 7)]
    for (const [seed, size] of sizes.entries()) client.socket.send(bytes(size, seed))
    for (const [seed, size] of sizes.entries()) {
      const frame = await frames.take()
      expect(frame).toEqual(bytes(size, seed))
      transport.send(frame as Uint8Array)
    }
    for (const [seed, size] of sizes.entries()) expect(await client.frames.take()).toEqual(bytes(size, seed))
  })

  it("joins the fragments of a frame", async () => {
    const { recorder, url } = await record(mount)
    const client = await connect(url)
    client.socket.send(bytes(10, 1), { fin: false, binary: true })
    client.socket.send(bytes(5, 2), { fin: true })
    const { frames } = await recorder.connections.take()
    expect(await frames.take()).toEqual(Uint8Array.from([...bytes(10, 1), ...bytes(5, 2)]))
  })

  it("sends a view of a larger buffer as that view only", async () => {
    const { recorder, url } = await record(mount)
    const client = await connect(url)
    const { transport } = await recorder.connections.take()
    transport.send(bytes(100, 0).subarray(10, 20))
    expect(await client.frames.take()).toEqual(greeting)
    expect(await client.frames.take()).toEqual(bytes(100, 0).slice(10, 20))
  })

  it("hands a text frame over as a string, for the server to refuse", async () => {
    const { recorder, url } = await record(mount)
    const client = await connect(url)
    client.socket.send("grüße")
    const { frames, transport } = await recorder.connections.take()
    expect(await frames.take()).toBe("grüße")
    transport.close(1007, "text")
    expect(await client.closed).toEqual({ code: 1007, reason: "text" })
  })

  it("closes with 1009 when a frame is bigger than maxFrameBytes", async () => {
    const { recorder, url } = await record(mount)
    const client = await connect(url)
    const { ends } = await recorder.connections.take()
    // Big enough that the client is still sending when it is refused.
    client.socket.send(new Uint8Array(128 * maxFrameBytes))
    expect((await client.closed).code).toBe(1009)
    await ends.take()
  })

  it("tells how many bytes a client that doesn't read holds up", async (context) => {
    const { recorder, url } = await record(mount)
    const client = await connect(url)
    const { transport } = await recorder.connections.take()
    const { bufferedBytes } = transport
    if (bufferedBytes === undefined) return context.skip("the runtime can't tell")
    const frame = bytes(1024 * 1024, 0)
    client.socket.pause()
    for (let i = 0; i < 24; i++) transport.send(frame)
    expect(bufferedBytes()).toBeGreaterThan(frame.length)
    client.socket.resume()
    expect(await client.frames.take()).toEqual(greeting)
    for (let i = 0; i < 24; i++) expect((await client.frames.take()).length).toBe(frame.length)
    await expect.poll(bufferedBytes, { timeout: 10_000 }).toBe(0)
  })

  it("reads no more while it is paused, and everything afterwards", async (context) => {
    const { recorder, url } = await record(mount)
    const client = await connect(url)
    const { frames, transport } = await recorder.connections.take()
    const { pause, resume } = transport
    if (pause === undefined || resume === undefined) return context.skip("the runtime can't pause")
    pause()
    // More than the buffers of two sockets of the system take.
    const count = 1_024
    const progress = sendOneByOne(client.socket, count)
    await stalls(progress, url)
    expect(progress.sent).toBeLessThan(count)
    expect(frames.size).toBeLessThan(progress.sent)
    resume()
    for (let i = 0; i < count; i++) expect((await frames.take())[0]).toBe(i & 255)
  })

  it("collects no pongs for a client that pings and never reads", async () => {
    const { recorder, url } = await record(mount)
    const client = await connect(url)
    const { transport } = await recorder.connections.take()
    client.socket.pause()
    const before = process.memoryUsage().external
    await pingUntilClosed(client.socket, 64 * megabyte)
    expect(process.memoryUsage().external - before).toBeLessThan(32 * megabyte)
    expect(transport.bufferedBytes?.() ?? 0).toBeLessThan(16 * megabyte)
  })

  it("collects no endless message of tiny fragments", async () => {
    const { recorder, url } = await record(mount)
    const client = await connect(url)
    const { ends, frames } = await recorder.connections.take()
    for (let i = 0; i < 20_000; i++) client.socket.send(Uint8Array.of(i), { fin: false })
    expect((await client.closed).code).toBe(1008)
    await ends.take()
    expect(frames.size).toBe(0)
  })
}
