import { todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { describe, expect, it } from "vitest"
import { memoryBackend, refuse } from "../../src/index.ts"
import { openDevice, startServer } from "./host.ts"

const storeId = "store"
const required = { sessionAuth: "required" } as const

describe("proving keys", () => {
  it("lets a connection act with a key that it proved, and with no other", async () => {
    const { server, url } = await startServer(required)
    for (const publicKey of ["A", "B"]) await server.assign({ publicKey, storeId })
    const device = await openDevice(url)
    const unproved = { _tag: "Error", code: "Unauthorized", reason: "NotProved", retryable: false }
    expect(await device.write("A", [todoAdded("a")])).toMatchObject(unproved)
    expect(await device.subscribe("A")).toMatchObject(unproved)
    await device.prove("A", makeSigningKey())
    expect(await device.write("A", [todoAdded("a")])).toMatchObject({ _tag: "Ack" })
    expect(await device.write("B", [todoAdded("b")])).toMatchObject(unproved)
    expect(await device.subscribe("B")).toMatchObject(unproved)
    const other = await openDevice(url)
    expect(await other.write("A", [todoAdded("c")])).toMatchObject(unproved)
  })

  it("proves several keys on one connection, each with the challenge of the answer before", async () => {
    const { server, url } = await startServer(required)
    for (const publicKey of ["A", "B"]) await server.assign({ publicKey, storeId })
    const device = await openDevice(url)
    const first = await device.prove("A", makeSigningKey())
    await device.prove("B", makeSigningKey())
    expect(first.challenge).toHaveLength(32)
    expect(await device.write("B", [todoAdded("b")])).toMatchObject({ _tag: "Ack" })
  })

  it("refuses another signing key for a bound public key, on every node, and offers a new challenge", async () => {
    const backend = memoryBackend()
    const [one, two] = [await startServer({ ...required, backend }), await startServer({ ...required, backend })]
    await one.server.assign({ publicKey: "A", storeId })
    const owner = await openDevice(one.url)
    await owner.prove("A", makeSigningKey())
    const thief = await openDevice(two.url)
    thief.send(await thief.proof("A", makeSigningKey()))
    expect(await thief.next("Error")).toMatchObject({ requestTag: "Authenticate", code: "Unauthorized" })
    expect(await thief.next("Hello")).toHaveProperty("challenge")
    expect(await thief.write("A", [todoAdded("a")])).toMatchObject({ code: "Unauthorized" })
  })

  it("refuses a replayed proof and a bad signature, and gives up on a peer that keeps guessing", async () => {
    const { server, url } = await startServer(required)
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    const proof = await device.proof("A", makeSigningKey())
    device.send(proof)
    await device.next("Authenticated")
    device.send(proof)
    expect(await device.next("Error")).toMatchObject({ reason: "BadProof" })
    const guesser = await openDevice(url)
    for (let attempt = 0; attempt < 5; attempt++) {
      const guess = await guesser.proof("A", makeSigningKey())
      guesser.send({ ...guess, signature: new Uint8Array(64) } as typeof guess)
      await guesser.next("Error").catch(() => undefined)
    }
    expect(await guesser.untilClosed()).toMatchObject({ code: 1008 })
  })

  it("enrolls a device at first contact and binds its key in the same step", async () => {
    const { server, url } = await startServer({
      ...required,
      enroll: ({ connection }) => (connection?.principal === "ann" ? "ann's store" : refuse("log in first"))
    })
    const stranger = await openDevice(url)
    stranger.send(await stranger.proof("A", makeSigningKey()))
    expect(await stranger.next("Error")).toMatchObject({ code: "Forbidden", message: "log in first" })
    expect(await server.keys()).toEqual([])
    const ann = await openDevice(`${url}/?principal=ann`)
    await ann.prove("A", makeSigningKey())
    expect(await server.keys()).toMatchObject([{ publicKey: "A", storeId: "ann's store" }])
  })

  it("binds nothing for a key that is neither mapped nor enrolled", async () => {
    const { server, url } = await startServer(required)
    const squatter = await openDevice(url)
    squatter.send(await squatter.proof("A", makeSigningKey()))
    expect(await squatter.next("Error")).toMatchObject({ code: "InvalidRequest", reason: "NotMapped" })
    await server.assign({ publicKey: "A", storeId })
    expect(await squatter.write("A", [todoAdded("a")])).toMatchObject({ code: "Unauthorized" })
    const owner = await openDevice(url)
    await owner.prove("A", makeSigningKey())
    expect(await owner.write("A", [todoAdded("a")])).toMatchObject({ _tag: "Ack" })
  })
})

describe("losing access", () => {
  it("ends a removed key's subscription at once, on this node and by a note on another", async () => {
    const backend = memoryBackend()
    const here = await startServer({ backend })
    const there = await startServer({ backend, reauthorizeInterval: "1 hour" })
    await here.server.assign({ publicKey: "A", storeId })
    const devices = [await openDevice(here.url), await openDevice(here.url), await openDevice(there.url)]
    for (const device of devices) await device.subscribe("A")
    await here.server.remove("A")
    for (const device of devices) {
      expect(await device.next("Error")).toMatchObject({ requestTag: "RequestChanges", reason: "NotMapped" })
    }
    await here.server.write({ storeId, event: "TodoAdded", payload: { id: "secret", text: "" } })
    for (const device of devices) {
      await device.settled()
      expect(device.delivered("A")).toEqual([])
      expect(await device.write("A", [todoAdded("a")])).toMatchObject({ reason: "NotMapped" })
    }
  })

  it("ends a removed key's subscription on another node though 160 others are asked about that never answer", async () => {
    const backend = memoryBackend()
    const here = await startServer({ backend })
    const there = await startServer({
      backend,
      reauthorizeInterval: 50,
      authTimeout: "1 hour",
      auth: {
        write: () => {},
        read: ({ publicKey }) => (isHanging && publicKey !== "A" ? new Promise(() => {}) : undefined)
      }
    })
    let isHanging = false
    await here.server.assign({ publicKey: "A", storeId })
    await here.server.assign({ publicKey: "T", storeId: "tenant" })
    const tenants = await Promise.all(Array.from({ length: 160 }, () => openDevice(there.url)))
    for (const tenant of tenants) await tenant.subscribe("T")
    const device = await openDevice(there.url)
    await device.subscribe("A")
    isHanging = true
    await here.server.remove("A")
    expect(await device.next("Error")).toMatchObject({ requestTag: "RequestChanges", reason: "NotMapped" })
    await tenants[0]!.settled()
    expect(tenants.every(({ closed }) => closed === undefined)).toBe(true)
  })

  it("ends the subscription of a key that auth no longer lets read", async () => {
    let isAllowed = true
    const { server, url } = await startServer({
      reauthorizeInterval: 20,
      auth: { read: () => (isAllowed ? undefined : refuse()), write: () => {} }
    })
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    await device.subscribe("A")
    isAllowed = false
    expect(await device.next("Error")).toMatchObject({ requestTag: "RequestChanges", code: "Forbidden" })
  })

  it("keeps a subscription while the check itself fails", async () => {
    let checks = 0
    const { server, url } = await startServer({
      reauthorizeInterval: 10,
      auth: {
        read: () => {
          if (checks++ > 0) throw new Error("the user database is away")
        },
        write: () => {}
      }
    })
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    await device.subscribe("A")
    await expect.poll(() => checks).toBeGreaterThan(3)
    await server.write({ storeId, event: "TodoAdded", payload: { id: "a", text: "" } })
    expect(await device.untilDelivered("A", 1)).toHaveLength(1)
  })

  it("takes a key from the connections that proved it with a signing key that was replaced", async () => {
    const { server, url } = await startServer(required)
    await server.assign({ publicKey: "A", storeId })
    const [old, renewed] = [makeSigningKey(), makeSigningKey()]
    const device = await openDevice(url)
    await device.prove("A", old)
    await device.subscribe("A")
    await server.assign({ publicKey: "A", storeId, signingPublicKey: renewed.signingPublicKey })
    expect(await device.next("Error")).toMatchObject({ requestTag: "RequestChanges", code: "Unauthorized" })
    expect(await device.write("A", [todoAdded("a")])).toMatchObject({ code: "Unauthorized" })
    const owner = await openDevice(url)
    await owner.prove("A", renewed)
  })

  it("disconnects the connections of a key, and the readers of a store", async () => {
    const { server, url } = await startServer()
    for (const publicKey of ["A", "B"]) await server.assign({ publicKey, storeId: `store ${publicKey}` })
    const devices = { A: await openDevice(url), B: await openDevice(url) }
    for (const key of ["A", "B"] as const) await devices[key].subscribe(key)
    expect(await server.disconnect({ publicKey: "A" })).toBe(1)
    expect(await devices.A.untilClosed()).toMatchObject({ code: 1008 })
    expect(await server.disconnect({ storeId: "store B" })).toBe(1)
    expect(await devices.B.untilClosed()).toMatchObject({ code: 1008 })
  })

  it("ends the subscriptions of an erased store, whose id is never used again", async () => {
    const { server, url } = await startServer()
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    await device.write("A", [todoAdded("a")])
    await device.subscribe("A")
    await device.untilDelivered("A", 1)
    await server.erase(storeId)
    expect(await device.next("Error")).toMatchObject({ requestTag: "RequestChanges", reason: "NotMapped" })
    expect(await device.write("A", [todoAdded("b")])).toMatchObject({ reason: "NotMapped" })
  })

  it("refuses to move a key to another store, also after it was removed", async () => {
    const { server } = await startServer()
    await server.assign({ publicKey: "A", storeId })
    await server.assign({ publicKey: "A", storeId })
    await expect(server.assign({ publicKey: "A", storeId: "other" })).rejects.toMatchObject({
      reason: "AlreadyAssigned"
    })
    await server.remove("A")
    await expect(server.assign({ publicKey: "A", storeId: "other" })).rejects.toMatchObject({
      reason: "AlreadyAssigned"
    })
    await server.assign({ publicKey: "A", storeId })
  })
})
