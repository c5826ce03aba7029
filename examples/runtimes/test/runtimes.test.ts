import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createRequire } from "node:module"
import type { Socket } from "node:net"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { encodeRequestUnencrypted } from "@eventlog-server/core/protocol"
import { buildExample } from "@eventlog-server/example-todo/testing"
import { Device, openApp } from "@eventlog-server/testkit/devices"
import { AddedTodos, addedSchema, makeEntry, todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Effect } from "effect"
import { EventLog } from "effect/eventlog"
import { beforeAll, describe, expect, it, onTestFinished } from "vitest"
import { openStockDevice } from "./stockDevice.ts"

const require = createRequire(import.meta.url)
const folderOf = (name: string) => dirname(require.resolve(`${name}/package.json`))

/** A runtime as npm brings it, and what it can't do, or does in a way of its own. */
interface Runtime {
  readonly name: "node" | "bun" | "deno"
  readonly command: (script: string) => readonly [program: string, ...args: ReadonlyArray<string>]
  /** How it closes on a frame above `maxFrameBytes`, and on text that isn't UTF-8. */
  readonly tooBig: number
  readonly notUtf8: number
  /** Whether a frame above `maxFrameBytes` is refused before it is there. */
  readonly boundsFrames: boolean
  /** What it announces with the first connection. */
  readonly warning: RegExp | undefined
}

const runtimes: ReadonlyArray<Runtime> = [
  {
    name: "node",
    command: (script) => [process.execPath, script],
    tooBig: 1009,
    notUtf8: 1007,
    boundsFrames: true,
    warning: undefined
  },
  {
    name: "bun",
    command: (script) => [join(folderOf("bun"), "bin/bun.exe"), script],
    tooBig: 1009,
    notUtf8: 1007,
    boundsFrames: true,
    warning: undefined
  },
  {
    name: "deno",
    command: (script) => [join(folderOf("deno"), "deno"), "run", "--allow-all", script],
    tooBig: 1009,
    notUtf8: 1006,
    boundsFrames: false,
    warning: /Deno can't be told that frames end at 1048576 bytes/
  }
]

/** What a process says, and how it ends. */
interface Running {
  readonly url: string
  readonly output: () => string
  /** Sends SIGTERM, and answers its exit code. */
  readonly stop: () => Promise<number | null>
}

const untilListening = (child: ChildProcess, output: () => string): Promise<string> =>
  new Promise((resolve, reject) => {
    const look = () => {
      const port = /http:\/\/[^\s:]+:(\d+)/.exec(output())?.[1]
      if (port !== undefined) resolve(`http://127.0.0.1:${port}/eventlog`)
    }
    child.stdout?.on("data", look)
    child.stderr?.on("data", look)
    child.once("close", () => reject(new Error(`It ended before it listened: ${output()}`)))
  })

const start = async ({ command, name }: Runtime, folder: URL): Promise<Running> => {
  const [program, ...args] = command(fileURLToPath(new URL(`${name}.js`, folder)))
  const child = spawn(program, args, { env: { ...process.env, PORT: "0", NO_COLOR: "1" } })
  const ended = once(child, "close")
  onTestFinished(() => void child.kill("SIGKILL"))
  let text = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (part) => {
      text += part
    })
  }
  const url = await untilListening(child, () => text)
  return {
    url,
    output: () => text,
    stop: async () => {
      child.kill("SIGTERM")
      const [code] = await ended
      return code
    }
  }
}

const megabyte = 1024 * 1024
const handlers = EventLog.group(AddedTodos, (on) => on.handle("TodoAdded", () => Effect.void))

const openDevice = async (url: string, publicKey: string): Promise<Device> => {
  const device = await Device.open(url)
  await device.prove(publicKey, makeSigningKey())
  return device
}

let folder: URL

beforeAll(async () => {
  folder = await buildExample("runtimes")
}, 60_000)

describe.each(runtimes)("the server on $name", (runtime) => {
  it("brings devices with our client and with effect's own together", async () => {
    const { url } = await start(runtime, folder)
    const ours = await openApp({ url, schema: addedSchema, handlers })
    const stock = await openStockDevice(`${url}/rpc`)
    await ours.write({ event: "TodoAdded", payload: { id: "1", text: "from ours" } })
    await expect.poll(() => stock.seen).toContain("from ours")
    await stock.add("from effect's")
    await ours.until(({ cursor, pendingWrites }) => cursor === 2 && pendingWrites === 0)
    expect(await (await fetch(url.replace("/eventlog", "/healthz"))).json()).toEqual({ status: "ok" })
  })

  it("loses nothing for a device that doesn't read while 40 MiB are written, in chunks", async () => {
    const { url } = await start(runtime, folder)
    const [writer, reader] = [await openDevice(url, "writer"), await openDevice(url, "reader")]
    await reader.subscribe("reader")
    reader.socket.pause()
    for (let index = 0; index < 20; index++) {
      const entry = makeEntry({ event: "Big", primaryKey: `${index}`, payload: 2 * megabyte })
      expect(await writer.write("writer", [entry])).toMatchObject({ _tag: "Ack", sequenceNumbers: [index + 1] })
    }
    reader.socket.resume()
    const delivered = await reader.untilDelivered("reader", 20)
    expect(delivered.map(({ remoteSequence }) => remoteSequence)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
    expect(delivered.every(({ entry }) => entry.payload.length === 2 * megabyte && entry.payload.at(-1) === 7)).toBe(
      true
    )
  })

  it("takes frames of every size up to the limit, and in fragments", async () => {
    const { url } = await start(runtime, folder)
    const device = await openDevice(url, "A")
    const sizes = [0, 1, 125, 126, 65_535, 65_536, megabyte - 1_000]
    for (const [index, payload] of sizes.entries()) {
      const entries = [makeEntry({ event: "Big", payload })]
      const request = encodeRequestUnencrypted({ _tag: "WriteEntries", id: 100 + index, publicKey: "A", entries })
      const middle = Math.floor(request.length / 2)
      device.socket.send(request.subarray(0, middle), { fin: false, binary: true })
      device.socket.send(request.subarray(middle), { fin: true })
      expect(await device.next("Ack", ({ id }) => id === 100 + index)).toMatchObject({ sequenceNumbers: [index + 1] })
    }
    await device.subscribe("A")
    const delivered = await device.untilDelivered("A", sizes.length)
    expect(delivered.map(({ entry }) => entry.payload.length)).toEqual(sizes)
  })

  it("refuses frames above the limit, and what the protocol doesn't allow, by their codes", async () => {
    const { url } = await start(runtime, folder)
    const [tooBig, text, notUtf8, garbage] = [
      await openDevice(url, "A"),
      await openDevice(url, "B"),
      await openDevice(url, "C"),
      await openDevice(url, "D")
    ]
    tooBig.socket.send(new Uint8Array(megabyte + 1))
    text.socket.send("text")
    notUtf8.socket.send(Uint8Array.of(0xff, 0xfe), { binary: false })
    garbage.socket.send(Uint8Array.of(0xc1))
    const codes = await Promise.all(
      [tooBig, text, notUtf8, garbage].map(async (device) => (await device.untilClosed()).code)
    )
    expect(codes).toEqual([runtime.tooBig, 1007, runtime.notUtf8, 1007])
    expect((await openDevice(url, "E")).closed).toBeUndefined()
  })

  it.runIf(runtime.boundsFrames)("refuses a frame above the limit by its head alone", async () => {
    const { url } = await start(runtime, folder)
    const device = await openDevice(url, "A")
    const head = Uint8Array.of(0x82, 0xff, ...[0, 0, 0, 0, 4, 0, 0, 0], ...[0, 0, 0, 0])
    ;(device.socket as unknown as { readonly _socket: Socket })._socket.write(head)
    expect((await device.untilClosed()).code).toBe(1009)
  })

  it("closes with 1012 when it is told to end, and ends though a device is mute", async () => {
    const server = await start(runtime, folder)
    const [device, mute] = [await openDevice(server.url, "A"), await openDevice(server.url, "B")]
    mute.socket.pause()
    expect(await device.write("A", [todoAdded("1")])).toMatchObject({ _tag: "Ack" })
    const ended = server.stop()
    expect(await device.untilClosed()).toMatchObject({ code: 1012, reason: expect.stringContaining("retry-after-ms=") })
    expect(await ended).toBe(0)
  })

  it("announces what the runtime can't do, once, and nothing else", async () => {
    const server = await start(runtime, folder)
    for (const key of ["A", "B"]) await openDevice(server.url, key)
    await server.stop()
    const warnings = server.output().match(/.*(?:can't|webSocketHandler|webSocketOptions).*/g) ?? []
    expect(warnings).toEqual(runtime.warning === undefined ? [] : [expect.stringMatching(runtime.warning)])
  })
})
