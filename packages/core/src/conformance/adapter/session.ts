import { Result, Schema } from "effect"
import { EventGroup, EventLog } from "effect/eventlog"
import { expect, it, onTestFinished } from "vitest"
import { allowAll, type ConnectionDetails, createEventLogServer, memoryBackend } from "../../index.ts"
import { decodeResponseUnencrypted, encodeRequestUnencrypted } from "../../wire/codec.ts"
import type { ProtocolRequestUnencrypted, ProtocolResponseUnencrypted } from "../../wire/messages.ts"
import { type Client, type ConnectOptions, connect, refusal } from "./client.ts"
import type { Mount, MountOptions } from "./harness.ts"

const publicKey = "device"

const Notes = EventGroup.empty.add({ tag: "Noted", primaryKey: (text) => text, payload: Schema.String })

/** Mounts a real server, whose one key needs no proof, for the length of the current test. */
const serve = async (mount: Mount, options: Omit<MountOptions, "server"> = {}) => {
  const readers: Array<ConnectionDetails | undefined> = []
  const server = createEventLogServer({
    schema: EventLog.schema(Notes),
    handlers: { Noted: () => {} },
    backend: memoryBackend(),
    auth: { ...allowAll, read: ({ connection }) => readers.push(connection) },
    sessionAuth: "off",
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  })
  const { close, url } = await mount({ ...options, server })
  onTestFinished(close)
  await server.assign({ publicKey, storeId: "store" })
  return { server, readers, url }
}

const next = async (client: Client): Promise<ProtocolResponseUnencrypted> =>
  Result.getOrThrow(decodeResponseUnencrypted(await client.frames.take()))

const send = (client: Client, request: ProtocolRequestUnencrypted): void =>
  client.socket.send(encodeRequestUnencrypted(request))

const greeted = async (url: string, options?: ConnectOptions): Promise<Client> => {
  const client = await connect(url, options)
  expect((await next(client))._tag).toBe("Hello")
  return client
}

/** A session of the real server, through the adapter. */
export const session = (mount: Mount): void => {
  it("greets with Hello", async () => {
    const { server, url } = await serve(mount)
    const hello = await next(await connect(url))
    expect(hello).toMatchObject({ _tag: "Hello", protocol: 1 })
    expect(hello).toHaveProperty("limits.maxFrameBytes", server.limits.maxFrameBytes)
  })

  it("answers Ping with Pong", async () => {
    const client = await greeted((await serve(mount)).url)
    send(client, { _tag: "Ping", id: 41 })
    expect(await next(client)).toEqual({ _tag: "Pong", id: 41 })
  })

  it("delivers what the server writes", async () => {
    const { server, url } = await serve(mount)
    const client = await greeted(url)
    send(client, { _tag: "RequestChanges", publicKey, startSequence: 1 })
    expect(await next(client)).toMatchObject({ _tag: "Subscribed", head: 0 })
    expect(await next(client)).toMatchObject({ _tag: "CaughtUp", head: 0 })
    await server.write({ storeId: "store", event: "Noted", payload: "milk" })
    expect(await next(client)).toMatchObject({ _tag: "Changes", entries: [{ remoteSequence: 1 }] })
  })

  it("shows principal, headers and address to auth as the current connection", async () => {
    const { readers, url } = await serve(mount, { authenticate: (header) => ({ user: header("x-user") }) })
    const client = await greeted(url, { headers: { "X-User": "ada" } })
    send(client, { _tag: "RequestChanges", publicKey, startSequence: 1 })
    expect((await next(client))._tag).toBe("Subscribed")
    expect(readers).toEqual([
      expect.objectContaining({
        principal: { user: "ada" },
        headers: expect.objectContaining({ "x-user": "ada" }),
        remoteAddress: expect.stringMatching(/127\.0\.0\.1$/)
      })
    ])
  })

  it.each([
    ["a text frame", "text", 1007],
    ["bytes that are no message", Uint8Array.of(0xc1), 1007]
  ])("closes on %s", async (_, frame, code) => {
    const client = await greeted((await serve(mount)).url)
    client.socket.send(frame)
    expect((await client.closed).code).toBe(code)
  })

  it("closes with 1009 on a frame that is too big", async () => {
    const { server, url } = await serve(mount)
    const client = await greeted(url)
    client.socket.send(new Uint8Array(server.limits.maxFrameBytes + 1))
    expect((await client.closed).code).toBe(1009)
  })

  it("forgets a connection whose client disappears", async () => {
    const { server, url } = await serve(mount)
    const client = await greeted(url)
    expect((await server.stats()).connections).toBe(1)
    client.socket.terminate()
    await expect.poll(async () => (await server.stats()).connections, { timeout: 10_000 }).toBe(0)
  })

  it("closes with 1012 when the server closes, and refuses whoever comes later", async () => {
    const { server, url } = await serve(mount)
    const client = await greeted(url)
    await server.close()
    expect((await client.closed).code).toBe(1012)
    expect(await refusal(url)).toBe(503)
  })
}
