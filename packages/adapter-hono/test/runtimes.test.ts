import { type EventLogOptions, eventLog } from "@eventlog-server/adapter-hono"
import type { Mountable, Transport } from "@eventlog-server/core/adapter"
import { defaultLimits } from "@eventlog-server/core/protocol"
import { Hono } from "hono"
import { defineWebSocketHelper, WSContext, type WSEvents } from "hono/ws"
import { expect, test } from "vitest"

/** A runtime's socket: what the runtimes differ in. */
interface Raw {
  binaryType?: string
  bufferedAmount?: number
  getBufferedAmount?: () => number
  send?: (frame: Uint8Array) => number
  terminate?: () => void
  pause?: () => void
  resume?: () => void
}

/** Upgrades without a network, so that a test plays the runtime: it decides which events come, and with what. */
const upgrade = async (raw: Raw | undefined, options: Partial<EventLogOptions> = {}) => {
  const transports: Array<Transport> = []
  const frames: Array<Uint8Array | string> = []
  const sent: Array<unknown> = []
  const server: Mountable = {
    limits: defaultLimits,
    endpoints: [{ path: "", protocol: "eventlog" }],
    admit: async () => undefined,
    connect: (transport) => {
      transports.push(transport)
      return { receive: (frame) => void frames.push(frame), closed: () => {} }
    },
    close: async () => {}
  }
  let events: WSEvents = {}
  const upgradeWebSocket = defineWebSocketHelper((_, given) => {
    events = given
    return new Response()
  })
  const state: { readyState: 0 | 1 | 2 | 3 } = { readyState: 1 }
  const ws = new WSContext({
    send: (data) => void sent.push(data),
    close: () => {},
    raw,
    get readyState() {
      return state.readyState
    }
  })
  const app = new Hono().route("/eventlog", eventLog({ server, upgradeWebSocket, ...options }))
  const response = await app.request("/eventlog", { headers: { upgrade: "websocket" } })
  expect(response.status).toBe(200)
  return {
    transports,
    frames,
    sent,
    state,
    open: () => events.onOpen?.(new Event("open"), ws),
    message: (data: string | ArrayBuffer | Blob) => events.onMessage?.(new MessageEvent("message", { data }), ws)
  }
}

const buffer = (...bytes: Array<number>): ArrayBuffer => Uint8Array.from(bytes).buffer

test("connects at the first frame where the runtime has no open event, and only once", async () => {
  const { frames, message, transports } = await upgrade({})
  expect(transports.length).toBe(0)
  message(buffer(1))
  message(buffer(2))
  expect(transports.length).toBe(1)
  expect(frames).toEqual([Uint8Array.of(1), Uint8Array.of(2)])
})

test("asks a socket that gives Blobs for ArrayBuffers", async () => {
  const raw = { binaryType: "blob" }
  const { open } = await upgrade(raw)
  open()
  expect(raw.binaryType).toBe("arraybuffer")
})

test("leaves the binary type of other sockets alone", async () => {
  const raw = { binaryType: "nodebuffer" }
  const { open } = await upgrade(raw)
  open()
  expect(raw.binaryType).toBe("nodebuffer")
})

test("keeps the order when the first frame comes as a Blob", async () => {
  const { frames, message } = await upgrade({ binaryType: "blob" })
  message(new Blob([buffer(1)]))
  message(buffer(2))
  message("three")
  await expect.poll(() => frames).toEqual([Uint8Array.of(1), Uint8Array.of(2), "three"])
})

test.each([
  ["bufferedAmount", { bufferedAmount: 7 }, 7],
  ["getBufferedAmount", { getBufferedAmount: () => 8 }, 8],
  ["neither", {}, undefined],
  ["no socket", undefined, undefined]
])("tells the queued bytes of a runtime with %s", async (_, raw, expected) => {
  const { open, transports } = await upgrade(raw)
  open()
  expect(transports[0]?.bufferedBytes?.()).toBe(expected)
})

/** A socket that remembers, on itself, which of its functions were called. */
class RememberingSocket implements Raw {
  readonly calls: Array<string> = []
  terminate?() {
    this.calls.push("terminate")
  }
  pause?() {
    this.calls.push("pause")
  }
  resume?() {
    this.calls.push("resume")
  }
}

test("terminates, pauses and resumes where the runtime can, and resumes to read the answer to a close", async () => {
  const raw = new RememberingSocket()
  const { open, transports } = await upgrade(raw)
  open()
  transports[0]?.pause?.()
  transports[0]?.resume?.()
  transports[0]?.terminate?.()
  expect(raw.calls).toEqual(["pause", "resume", "terminate"])
  transports[0]?.close(1000, "")
  expect(raw.calls.at(-1)).toBe("resume")
})

test.each([
  ["only terminate", { terminate: () => {} }, ["terminate"]],
  ["pause, but can't resume", { pause: () => {} }, []],
  ["none of it", {}, []],
  ["no socket", undefined, []]
])("says so where a runtime has %s", async (_, raw, expected) => {
  const { open, transports } = await upgrade(raw)
  open()
  const { pause, resume, terminate } = transports[0]!
  const members = Object.entries({ pause, resume, terminate }).filter(([, member]) => member !== undefined)
  expect(members.map(([name]) => name)).toEqual(expected)
  transports[0]?.close(1000, "")
})

test("sends nothing on a socket that is not open, where runtimes throw", async () => {
  const { open, sent, state, transports } = await upgrade({})
  open()
  transports[0]?.send(Uint8Array.of(1))
  state.readyState = 2
  transports[0]?.send(Uint8Array.of(2))
  expect(sent).toEqual([Uint8Array.of(1)])
})

test("checks the origin against the URL where a runtime gives no Host header", async () => {
  const app = (origin: string) =>
    new Hono()
      .route(
        "/",
        eventLog({
          server: {
            limits: defaultLimits,
            endpoints: [{ path: "", protocol: "eventlog" }],
            admit: async () => undefined,
            connect: () => ({ receive: () => {}, closed: () => {} }),
            close: async () => {}
          },
          upgradeWebSocket: defineWebSocketHelper(() => new Response())
        })
      )
      .request("https://app.example/", { headers: { upgrade: "websocket", origin } })
  expect((await app("https://app.example")).status).toBe(200)
  expect((await app("https://evil.example")).status).toBe(403)
})

test("a runtime that drops a frame, and says so only in what it returns, ends the connection", async () => {
  const given: Array<Uint8Array> = []
  const results = [5, -1, 0]
  let terminated = 0
  const { open, sent, transports } = await upgrade({
    getBufferedAmount: () => 0,
    send: (frame) => {
      given.push(frame)
      return results.shift() ?? 0
    },
    terminate: () => void terminated++
  })
  open()
  const [transport] = transports
  transport!.send(Uint8Array.of(1))
  transport!.send(Uint8Array.of(2))
  expect(terminated).toBe(0)
  transport!.send(Uint8Array.of(3))
  expect([terminated, given.length, sent]).toEqual([1, 3, []])
})

test("a frame without bytes isn't taken for one that was dropped", async () => {
  let terminated = 0
  const { open, transports } = await upgrade({
    getBufferedAmount: () => 0,
    send: (frame) => frame.length,
    terminate: () => void terminated++
  })
  open()
  transports[0]!.send(new Uint8Array())
  expect(terminated).toBe(0)
})
