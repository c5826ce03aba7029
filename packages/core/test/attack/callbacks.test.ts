import { silent, type Todos, todoAdded, todosAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { describe, expect, it } from "vitest"
import { linesPerSecond } from "../../src/containment/logQuota.ts"
import type { AsyncAuth, CreateEventLogServerOptions, EventLogServer } from "../../src/index.ts"
import { openDevice, readAll, startServer } from "../server/host.ts"
import { turnOfTheLoop, watchRejections } from "./rejections.ts"

const outage = { _tag: "Error", code: "Unavailable", reason: "Unavailable", retryable: true }

const throwing = (thrown: unknown) => (): never => {
  throw thrown
}

/** What a callback may do instead of answering. */
const failing: ReadonlyArray<readonly [string, () => never | Promise<never>]> = [
  ["throws", throwing(new Error("the user database is away"))],
  ["throws null", throwing(null)],
  ["throws undefined", throwing(undefined)],
  ["rejects", () => Promise.reject(new Error("the user database is away"))],
  ["rejects with null", () => Promise.reject(null)],
  ["never answers", () => new Promise<never>(() => {})],
  [
    "throws something that throws",
    throwing({
      get _tag() {
        throw new Error("a trap")
      }
    })
  ],
  // biome-ignore lint/suspicious/noThenProperty: a thenable is what a callback may answer
  ["answers a thenable that throws", () => ({ then: throwing(new Error("a trap")) }) as never]
]

/** What a callback may answer that means nothing. */
const garbage: ReadonlyArray<unknown> = [null, false, 0, "no", {}, [], Symbol("x"), () => {}, new Proxy({}, {})]

type Options = Partial<CreateEventLogServerOptions<typeof Todos>>

/** What a callback or handler may take. Those that answer must get through on a busy machine too. */
const timeoutMillis = 500

const start = async (options: Options) => {
  const { server, url } = await startServer({
    sessionAuth: "required",
    authTimeout: timeoutMillis,
    reauthorizeInterval: 20,
    logger: silent,
    ...options
  })
  const keys = { A: makeSigningKey(), H: makeSigningKey() }
  for (const publicKey of ["A", "H"] as const) {
    const { signingPublicKey } = keys[publicKey]
    await server.assign({ publicKey, storeId: `store of ${publicKey}`, signingPublicKey })
  }
  return { server, url, keys }
}

/** Asks `callback` for `A` only; everybody else may do everything. */
const onlyFor =
  <Request extends { readonly publicKey: string }>(publicKey: string, callback: () => unknown) =>
  (request: Request): unknown =>
    request.publicKey === publicKey ? callback() : undefined

/** A device of another key is served: it proves itself, writes, and gets what it wrote. */
const expectServed = async (
  server: EventLogServer<typeof Todos>,
  url: string,
  key: ReturnType<typeof makeSigningKey>
) => {
  const device = await openDevice(url)
  await device.prove("H", key)
  await device.subscribe("H")
  expect(await device.write("H", [todoAdded("h")])).toMatchObject({ sequenceNumbers: [1] })
  await device.untilDelivered("H", 1)
  await server.processed({ storeId: "store of H", sequence: 1 })
}

describe.each(failing)("a callback that %s", (_, fail) => {
  it.each(["read", "write", "identity"] as const)(
    "as auth.%s is an outage for who it was asked about",
    async (member) => {
      const unhandled = watchRejections()
      const auth: AsyncAuth = { read: () => {}, write: () => {}, [member]: onlyFor("A", fail) }
      const { keys, server, url } = await start({ auth })
      const device = await openDevice(url)
      device.send(await device.proof("A", keys.A))
      if (member === "identity") expect(await device.next("Error")).toMatchObject(outage)
      else await device.next("Authenticated")
      if (member === "read") expect(await device.subscribe("A")).toMatchObject(outage)
      if (member === "write") expect(await device.write("A", [todoAdded("a")])).toMatchObject(outage)
      expect(await readAll(server, "store of A")).toEqual([])
      expect(await server.stats()).toMatchObject({ subscriptions: 0, committed: 0 })
      await expectServed(server, url, keys.H)
      expect(device.closed).toBeUndefined()
      await turnOfTheLoop()
      expect(unhandled).toEqual([])
    }
  )

  it("as enroll binds nothing", async () => {
    const unhandled = watchRejections()
    const { keys, server, url } = await start({ enroll: fail })
    const device = await openDevice(url)
    device.send(await device.proof("N", makeSigningKey()))
    expect(await device.next("Error")).toMatchObject({ ...outage, requestTag: "Authenticate" })
    expect((await server.keys()).map(({ publicKey }) => publicKey)).toEqual(["A", "H"])
    await expectServed(server, url, keys.H)
    await turnOfTheLoop()
    expect(unhandled).toEqual([])
  })

  it("as a handler, onHandlerFailure or logger keeps no entry from those behind it", async () => {
    const unhandled = watchRejections()
    const handled: Array<string> = []
    const log = fail as () => never
    const { keys, server, url } = await start({
      handlers: {
        TodoAdded: ({ payload, storeId }) => {
          if (storeId === "store of A" && payload.id === "t1") return fail()
          handled.push(payload.id)
        },
        TodoToggled: () => {}
      },
      handlerTimeout: timeoutMillis,
      onHandlerFailure: fail,
      logger: { debug: log, info: log, warn: log, error: log }
    })
    const device = await openDevice(url)
    await device.prove("A", keys.A)
    expect(await device.write("A", todosAdded(3))).toMatchObject({ _tag: "Ack" })
    await server.processed({ storeId: "store of A", sequence: 3 })
    expect(handled).toEqual(["t0", "t2"])
    expect(await server.stats()).toMatchObject({ handlerFailures: 1, replayed: 3 })
    await expectServed(server, url, keys.H)
    await turnOfTheLoop()
    expect(unhandled).toEqual([])
  })
})

it.each(garbage.map((answer) => [typeof answer, answer] as const))(
  "garbage that auth answers (%s) is no refusal, and as a store's name nothing",
  async (_, answer) => {
    const auth: AsyncAuth = { read: () => answer, write: () => answer, identity: () => answer }
    const isName = typeof answer === "string"
    const { server, url } = await start({ auth, enroll: () => answer as string })
    const device = await openDevice(url)
    device.send(await device.proof("N", makeSigningKey()))
    if (isName) {
      await device.next("Authenticated")
      expect(await device.write("N", [todoAdded("a")])).toMatchObject({ _tag: "Ack" })
      return
    }
    expect(await device.next("Error")).toMatchObject(outage)
    expect((await server.keys()).map(({ publicKey }) => publicKey)).toEqual(["A", "H"])
  }
)

describe("a handler that", () => {
  it("hangs holds up its own store until its time is up, and no other", async () => {
    const signals: Array<AbortSignal> = []
    const { keys, server, url } = await start({
      handlers: {
        TodoAdded: ({ signal, storeId }) => {
          if (storeId === "store of H") return
          signals.push(signal)
          return new Promise(() => {})
        },
        TodoToggled: () => {}
      },
      handlerTimeout: timeoutMillis
    })
    const device = await openDevice(url)
    await device.prove("A", keys.A)
    await device.write("A", todosAdded(2))
    await expectServed(server, url, keys.H)
    await server.processed({ storeId: "store of A", sequence: 2 })
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
  })

  // One copy makes a chain whose pages have one entry each, two copies fill whole pages.
  it.each([1, 2])(
    "floods its own store, %i for one, keeps no other waiting and stops with its server",
    async (copies) => {
      let written = 0
      let server: EventLogServer<typeof Todos> | undefined
      const started = await start({
        handlers: {
          TodoAdded: async ({ storeId }) => {
            if (storeId !== "store of A") return
            for (let copy = 0; copy < copies; copy++) {
              await server!.write({ storeId, event: "TodoAdded", payload: { id: `f${written++}`, text: "" } })
            }
          },
          TodoToggled: () => {}
        }
      })
      server = started.server
      await server.write({ storeId: "store of A", event: "TodoAdded", payload: { id: "seed", text: "" } })
      await expect.poll(() => written).toBeGreaterThan(100)
      await expectServed(server, started.url, started.keys.H)
      await server.close()
      const after = written
      await turnOfTheLoop()
      expect(written - after).toBeLessThanOrEqual(1)
    }
  )
})

it("a device whose entries all fail does not fill the log", async () => {
  const lines: Array<string> = []
  const count = 2_000
  const reported: Array<number> = []
  const { keys, server, url } = await start({
    logger: { ...silent, error: (_, text) => lines.push(text) },
    maxFailures: count,
    onHandlerFailure: ({ sequence }) => {
      reported.push(sequence)
      throw new Error("a bug")
    }
  })
  const device = await openDevice(url)
  await device.prove("A", keys.A)
  const started = performance.now()
  for (let batch = 0; batch < 4; batch++) {
    const entries = todosAdded(count / 4).map((entry) => ({ ...entry, payload: Uint8Array.of(255) }) as typeof entry)
    expect(await device.write("A", entries)).toMatchObject({ _tag: "Ack" })
  }
  await server.processed({ storeId: "store of A", sequence: count })
  await server.close()
  const seconds = Math.ceil((performance.now() - started) / 1000)
  expect(reported).toHaveLength(count)
  expect(lines.length).toBeLessThanOrEqual((linesPerSecond + 1) * (seconds + 1))
  const left = lines.flatMap((line) => /^(\d+) more/.exec(line)?.[1] ?? [])
  const told = left.reduce((sum, number) => sum + Number(number), lines.length - left.length)
  // Each entry failed once, and so did the callback for it.
  expect(told).toBe(2 * count)
})
