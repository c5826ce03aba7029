import { Device } from "@eventlog-server/testkit/devices"
import { silent, type Todos, todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import fc from "fast-check"
import { Packr } from "msgpackr"
import { describe, expect, it } from "vitest"
import { type EventLogServer, memoryBackend } from "../../src/index.ts"
import { defaultLimits } from "../../src/wire/limits.ts"
import { openDevice, readAll, startServer } from "../server/host.ts"
import { mutatedFrames } from "./mutations.ts"
import { turnOfTheLoop, watchRejections } from "./rejections.ts"

const numRuns = process.env.EVENTLOG_TEST_LONG === undefined ? 500 : 10_000
const healthyEvery = 50
const settleId = 2 ** 50

/** Sends frames as they are and waits until the server handled them, or closed the connection. */
const attack = async (device: Device, frames: ReadonlyArray<Uint8Array>): Promise<void> => {
  for (const frame of frames) device.socket.send(frame)
  device.send({ _tag: "Ping", id: settleId })
  await device.next("Pong", ({ id }) => id === settleId).catch(() => undefined)
}

/** A device that is served all the while, in a store of its own. */
const makeHealthy = async (server: EventLogServer<typeof Todos>, url: string) => {
  const [device, key] = [await openDevice(url), makeSigningKey()]
  await server.assign({ publicKey: "H", storeId: "healthy", signingPublicKey: key.signingPublicKey })
  await device.prove("H", key)
  await device.subscribe("H")
  let written = 0
  return {
    key,
    expectServed: async () => {
      written++
      expect(await device.write("H", [todoAdded(`h${written}`)])).toMatchObject({ sequenceNumbers: [written] })
      await device.untilDelivered("H", written)
    },
    expectAlone: async () => {
      const entries = await readAll(server, "healthy")
      expect(entries.map(({ author, entry }) => [author, entry.primaryKey])).toEqual(
        Array.from({ length: written }, (_, index) => ["H", `h${index + 1}`])
      )
    }
  }
}

/** Runs attacks, each on a connection of its own unless the one before is still open. */
const fuzz = async (
  server: EventLogServer<typeof Todos>,
  url: string,
  prepare: (device: Device) => Promise<unknown>,
  check: () => Promise<void>
) => {
  const unhandled = watchRejections()
  const healthy = await makeHealthy(server, url)
  let device: Device | undefined
  let runs = 0
  await fc.assert(
    fc.asyncProperty(fc.array(mutatedFrames, { minLength: 1, maxLength: 4 }), async (frames) => {
      if (device === undefined || device.closed !== undefined) {
        device = await Device.open(url)
        await prepare(device)
      }
      await attack(device, frames)
      if (++runs % healthyEvery !== 0) return
      await healthy.expectServed()
      await check()
    }),
    { numRuns }
  )
  device?.socket.terminate()
  await healthy.expectAlone()
  await check()
  await turnOfTheLoop()
  expect(unhandled).toEqual([])
}

const small = { maxFrameBytes: 64 * 1024, maxMessageBytes: 256 * 1024, maxInboundBytes: 128 * 1024 }

describe("mutated frames", () => {
  it("store, bind and subscribe nothing on a connection that proved nothing", async () => {
    const { server, url } = await startServer({ sessionAuth: "required", limits: small })
    await server.assign({ publicKey: "A", storeId: "store" })
    await fuzz(
      server,
      url,
      async () => {},
      async () => {
        expect(await readAll(server, "store")).toEqual([])
        expect(await server.stats()).toMatchObject({ subscriptions: 1 })
        expect(await server.keys()).toMatchObject([{ publicKey: "A", signingPublicKey: undefined }, { publicKey: "H" }])
      }
    )
  })

  it("store only what a feed may hold, in the store of a proved key, and leave it readable", async () => {
    const { server, url } = await startServer({
      sessionAuth: "required",
      limits: small,
      backend: memoryBackend(),
      logger: silent
    })
    const key = makeSigningKey()
    await server.assign({ publicKey: "A", storeId: "store" })
    await fuzz(
      server,
      url,
      (device) => device.prove("A", key),
      async () => {
        const entries = await readAll(server, "store")
        expect(entries.map(({ remoteSequence }) => remoteSequence)).toEqual(entries.map((_, index) => index + 1))
        expect(new Set(entries.map(({ entry }) => entry.idString)).size).toBe(entries.length)
        for (const { author, entry } of entries) {
          expect([author, entry.id[6]! >> 4, entry.id[8]! >> 6]).toEqual(["A", 7, 2])
          expect(entry.createdAtMillis).toBeLessThanOrEqual(Date.now() + defaultLimits.maxClockSkewMillis)
          for (const text of [entry.event, entry.primaryKey]) expect(text.isWellFormed()).toBe(true)
          expect(entry.event + entry.primaryKey).not.toContain("\u0000")
        }
        await server.processed({ storeId: "store", sequence: entries.length })
      }
    )
    expect((await readAll(server, "store")).length).toBeGreaterThan(0)
  })
})

it("gives the bytes of every answered frame back: one connection sends many times what it may have unanswered", async () => {
  const { server, url } = await startServer({ sessionAuth: "required", limits: small })
  const key = makeSigningKey()
  await server.assign({ publicKey: "A", storeId: "store" })
  const device = await openDevice(url)
  await device.prove("A", key)
  const packr = new Packr({ useRecords: false })
  const padding = new Uint8Array(20_000)
  const wrong = [
    { _tag: "WriteEntries", publicKey: "A", entries: padding },
    { _tag: "WriteEntries", publicKey: "A", entries: [{ padding }] },
    { _tag: "WriteEntries", publicKey: "other", entries: [{ ...todoAdded("x"), payload: padding }] },
    {
      _tag: "WriteEntries",
      publicKey: "A",
      entries: [{ ...todoAdded("x"), id: new Uint8Array(16), payload: padding }]
    },
    { _tag: "WriteEntries", publicKey: "", entries: [{ ...todoAdded("x"), payload: padding }] },
    { _tag: "RequestChanges", publicKey: "A", startSequence: padding },
    { _tag: "RequestChanges", publicKey: "A", startSequence: 10 ** 9, padding },
    { _tag: "RequestChanges", publicKey: "x".repeat(20_000), startSequence: 0 },
    { _tag: "StopChanges", publicKey: 7, padding }
  ]
  for (let round = 0; round < 10; round++) {
    for (const [index, message] of wrong.entries()) {
      const id = round * 100 + index + 1_000
      device.socket.send(packr.pack({ ...message, id }))
      await device.next("Error", (error) => error.id === id)
    }
  }
  expect(await readAll(server, "store")).toEqual([])
  expect(await device.write("A", [todoAdded("a")])).toMatchObject({ _tag: "Ack", sequenceNumbers: [1] })
})
