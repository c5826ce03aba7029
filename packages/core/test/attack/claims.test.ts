import type { Device } from "@eventlog-server/testkit/devices"
import { schema, todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey, signProof } from "@eventlog-server/testkit/signing"
import { Clock, Effect, Layer, ManagedRuntime } from "effect"
import type { EventJournal } from "effect/eventlog"
import { describe, expect, it, onTestFinished } from "vitest"
import { challengeMillis } from "../../src/connection/Challenge.ts"
import { EventLogServerUnencrypted, layer, layerAuthAllowAll, StoreId } from "../../src/effect.ts"
import { memoryBackend, refuse } from "../../src/index.ts"
import { layerAsyncHandlers } from "../../src/server/asyncHandlers.ts"
import { host, openDevice, readAll, startServer } from "../server/host.ts"
import { expectUnharmed, makeScene, type Scene } from "./scene.ts"

type Proof = Awaited<ReturnType<typeof signProof>>

/** Sends a proof and waits for its refusal. */
const expectBadProof = async (device: Device, proof: Parameters<Device["send"]>[0]) => {
  device.send(proof)
  expect(await device.next("Error")).toMatchObject({
    requestTag: "Authenticate",
    code: "Unauthorized",
    reason: "BadProof",
    retryable: false
  })
  expect(await device.next("Hello")).toHaveProperty("challenge")
}

/** A proof of `B` by the attacker that is made right, and then made wrong. */
const forged =
  (change: (proof: Proof, scene: Scene) => Partial<Proof>) =>
  async (scene: Scene): Promise<void> => {
    const proof = (await scene.attacker.proof("B", scene.attackerKey)) as Proof
    await expectBadProof(scene.attacker, { ...proof, ...change(proof, scene) })
  }

/** A proof of `A`, which would stand, made wrong. */
const spoilt =
  (change: (proof: Proof) => Partial<Proof>) =>
  async ({ server, url }: Scene): Promise<void> => {
    const device = await openDevice(url)
    const proof = (await device.proof("A", makeSigningKey())) as Proof
    const before = await server.keys()
    await expectBadProof(device, { ...proof, ...change(proof) })
    expect(await device.write("A", [todoAdded("x")])).toMatchObject({ reason: "NotProved" })
    expect(await server.keys()).toEqual(before)
  }

const bytes = (length: number, fill = 0) => new Uint8Array(length).fill(fill)
const notProved = { _tag: "Error", code: "Unauthorized", reason: "NotProved", retryable: false }

const attacks: ReadonlyArray<readonly [string, (scene: Scene) => Promise<unknown>]> = [
  [
    "writes with it",
    async ({ attacker }) => expect(await attacker.write("B", [todoAdded("x")])).toMatchObject(notProved)
  ],
  [
    "writes an empty batch with it",
    async ({ attacker }) => expect(await attacker.write("B", [])).toMatchObject(notProved)
  ],
  [
    "writes so much with it that it travels in chunks",
    async ({ attacker }) => {
      const entry = { ...todoAdded("x"), payload: bytes(700_000) } as EventJournal.Entry
      expect(await attacker.write("B", [entry])).toMatchObject(notProved)
    }
  ],
  ["subscribes with it", async ({ attacker }) => expect(await attacker.subscribe("B")).toMatchObject(notProved)],
  [
    "stops its subscription on another connection",
    async ({ attacker }) => {
      attacker.send({ _tag: "StopChanges", publicKey: "B" })
      for (let id = 0; id < 5; id++) attacker.send({ _tag: "StopChanges", publicKey: "B", id })
      await attacker.settled()
    }
  ],
  ["signs for it with its own signing key", forged(() => ({}))],
  ["names the owner's signing key", forged((_, { ownerKey }) => ({ signingPublicKey: ownerKey.signingPublicKey }))],
  ["replays the owner's proof", ({ attacker, ownerProof }) => expectBadProof(attacker, ownerProof)],
  [
    "replays its own proof of another key under this name",
    async ({ attacker, attackerKey }) => {
      const proof = (await attacker.proof("A", attackerKey)) as Proof
      await expectBadProof(attacker, { ...proof, publicKey: "B" })
    }
  ],
  [
    "names the algorithm `none`, with no signature",
    forged(() => ({ algorithm: "none" as never, signature: bytes(0) }))
  ],
  ["sends a key of small order and zeros", forged(() => ({ signingPublicKey: bytes(32), signature: bytes(64) }))],
  [
    "sends the neutral point",
    forged(() => ({ signingPublicKey: Uint8Array.of(1, ...bytes(31)), signature: bytes(64) }))
  ],
  ...["B ", " B", "b", "B\u200b", "\uff22", "__proto__", "constructor", "toString"].map(
    (name) =>
      [
        `uses a name like it: ${JSON.stringify(name)}`,
        async ({ attacker }: Scene) => {
          expect(await attacker.write(name, [todoAdded("x")])).toMatchObject(notProved)
          expect(await attacker.subscribe(name)).toMatchObject(notProved)
          attacker.send({ _tag: "StopChanges", publicKey: name })
        }
      ] as const
  ),
  ["proves nothing with a signature of no bytes", spoilt(() => ({ signature: bytes(0) }))],
  ["proves nothing with 63 bytes of a signature", spoilt(({ signature }) => ({ signature: signature.subarray(1) }))],
  ["proves nothing with 65 bytes", spoilt(({ signature }) => ({ signature: Uint8Array.of(...signature, 0) }))],
  ["proves nothing with a signing key of no bytes", spoilt(() => ({ signingPublicKey: bytes(0) }))],
  [
    "proves nothing with 31 bytes of a key",
    spoilt(({ signingPublicKey }) => ({ signingPublicKey: signingPublicKey.subarray(1) }))
  ],
  [
    "proves nothing with 33 bytes",
    spoilt(({ signingPublicKey }) => ({ signingPublicKey: Uint8Array.of(...signingPublicKey, 0) }))
  ],
  [
    "proves nothing with a flipped bit",
    spoilt(({ signature }) => ({ signature: signature.map((byte, index) => (index === 40 ? byte ^ 1 : byte)) }))
  ],
  ...["ed25519", "ED25519", "Ed25519 ", "Ed448", "RS256", ""].map(
    (algorithm) => [`proves nothing with the algorithm "${algorithm}"`, spoilt(() => ({ algorithm }) as never)] as const
  ),
  ...(["remoteId", "challenge", "publicKey"] as const).map(
    (field) =>
      [
        `proves nothing with a signature for another ${field}`,
        async ({ server, url }: Scene) => {
          const [device, key, before] = [await openDevice(url), makeSigningKey(), await server.keys()]
          const { challenge, remoteId } = device.received[0] as Extract<
            (typeof device.received)[number],
            { readonly _tag: "Hello" }
          >
          const right = { remoteId, challenge: challenge!, publicKey: "A", key }
          const wrong = { remoteId: bytes(16, 1), challenge: bytes(32, 1), publicKey: "C" }
          const proof = await signProof({ ...right, [field]: wrong[field] })
          await expectBadProof(device, { ...proof, publicKey: "A" })
          expect(await server.keys()).toEqual(before)
        }
      ] as const
  )
]

describe("a connection that proved another key", () => {
  it.each(attacks)("%s, in vain", async (_, attack) => {
    const scene = await makeScene()
    await attack(scene)
    await expectUnharmed(scene)
  })

  it("spends its proofs: after five bad ones it is closed", async () => {
    const scene = await makeScene()
    for (let attempt = 0; attempt < 4; attempt++) await expectBadProof(scene.attacker, scene.ownerProof)
    scene.attacker.send(scene.ownerProof)
    expect(await scene.attacker.untilClosed()).toMatchObject({ code: 1008 })
    await expectUnharmed(scene)
  })

  it("does not stop another connection's subscription of a key that both proved", async () => {
    const scene = await makeScene()
    const second = await openDevice(scene.url)
    await second.prove("B", scene.ownerKey)
    await second.subscribe("B", 0, 7)
    for (const id of [undefined, 1, 7]) {
      second.send({ _tag: "StopChanges", publicKey: "B", ...(id === undefined ? {} : { id }) })
    }
    await second.settled()
    await second.close()
    await expectUnharmed(scene)
  })
})

describe("a proof", () => {
  it("is worth nothing a second time, on its own connection and on the next one", async () => {
    const { server, url } = await startServer({ sessionAuth: "required" })
    await server.assign({ publicKey: "A", storeId: "store" })
    const [device, key] = [await openDevice(url), makeSigningKey()]
    const proof = await device.proof("A", key)
    device.send(proof)
    await device.next("Authenticated")
    await expectBadProof(device, proof)
    await device.close()
    const next = await openDevice(url)
    await expectBadProof(next, proof)
    expect(await next.subscribe("A")).toMatchObject(notProved)
    expect(await server.stats()).toMatchObject({ subscriptions: 0 })
  })

  it("stands on the connection that gave it after a replay failed there", async () => {
    const { server, url } = await startServer({ sessionAuth: "required" })
    await server.assign({ publicKey: "A", storeId: "store" })
    const [device, key] = [await openDevice(url), makeSigningKey()]
    const proof = await device.proof("A", key)
    device.send(proof)
    await device.next("Authenticated")
    await expectBadProof(device, proof)
    expect(await device.write("A", [todoAdded("a")])).toMatchObject({ _tag: "Ack" })
  })

  it("comes too late once its challenge expired, and the new challenge can be answered", async () => {
    const { assign, clock, url } = await startWithClock()
    await assign("A", "store")
    const [early, late, key] = [await openDevice(url), await openDevice(url), makeSigningKey()]
    clock.ahead = challengeMillis - 1
    await early.prove("A", key)
    clock.ahead = challengeMillis
    await expectBadProof(late, await late.proof("A", key))
    expect(await late.write("A", [todoAdded("a")])).toMatchObject(notProved)
    await late.prove("A", key)
    expect(await late.write("A", [todoAdded("a")])).toMatchObject({ _tag: "Ack" })
  })
})

/** A server whose clock stands still until the test sets it ahead. */
const startWithClock = async () => {
  const clock = { ahead: 0 }
  const startedAt = Date.now()
  const now = () => startedAt + clock.ahead
  const stopped = Layer.effect(
    Clock.Clock,
    Effect.map(
      Clock.Clock,
      (real): Clock.Clock =>
        Object.assign(Object.create(real), { currentTimeMillisUnsafe: now, currentTimeMillis: Effect.sync(now) })
    )
  )
  const runtime = ManagedRuntime.make(
    layer(schema, layerAsyncHandlers(schema, { TodoAdded: () => {}, TodoToggled: () => {} })).pipe(
      Layer.provide([memoryBackend().layer, layerAuthAllowAll]),
      Layer.provide(stopped)
    )
  )
  onTestFinished(() => runtime.dispose())
  const server = await runtime.runPromise(EventLogServerUnencrypted)
  const { connect, endpoints, limits } = server
  const assign = (publicKey: string, storeId: string) =>
    runtime.runPromise(server.assign({ publicKey, storeId: StoreId.make(storeId) }))
  return {
    assign,
    clock,
    url: await host({ connect, endpoints, limits, admit: async () => undefined, close: () => runtime.dispose() })
  }
}

describe("squatting", () => {
  it("on a key before it is assigned binds nothing, on any node, and the owner's binding stands", async () => {
    const backend = memoryBackend()
    const nodes = [
      await startServer({ sessionAuth: "required", backend }),
      await startServer({ sessionAuth: "required", backend })
    ] as const
    const squatters: Array<Device> = []
    for (const { url } of nodes) {
      const squatter = await openDevice(url)
      squatter.send(await squatter.proof("B", makeSigningKey()))
      expect(await squatter.next("Error")).toMatchObject({ reason: "NotMapped" })
      squatters.push(squatter)
    }
    const ownerKey = makeSigningKey()
    const { signingPublicKey } = ownerKey
    await nodes[0].server.assign({ publicKey: "B", storeId: "store", signingPublicKey })
    for (const squatter of squatters) {
      await squatter.next("Hello", ({ challenge }) => challenge !== undefined)
      expect(await squatter.write("B", [todoAdded("x")])).toMatchObject(notProved)
      squatter.send(await squatter.proof("B", makeSigningKey()))
      expect(await squatter.next("Error", ({ requestTag }) => requestTag === "Authenticate")).toMatchObject({
        reason: "BadProof"
      })
    }
    expect(await nodes[1].server.keys()).toEqual([{ publicKey: "B", storeId: "store", signingPublicKey }])
    const owner = await openDevice(nodes[1].url)
    await owner.prove("B", ownerKey)
    expect(await owner.write("B", [todoAdded("a")])).toMatchObject({ _tag: "Ack", sequenceNumbers: [1] })
  })

  it("on a removed key brings nothing back, though enroll would name a store", async () => {
    const scene = await makeScene({ enroll: () => "store of B" })
    await scene.server.remove("B")
    scene.attacker.send(await scene.attacker.proof("B", scene.attackerKey))
    expect(await scene.attacker.next("Error")).toMatchObject({ requestTag: "Authenticate", reason: "NotMapped" })
    await scene.server.assign({ publicKey: "B", storeId: "store of B" })
    // What was bound before is bound again: the owner's signing key, not the squatter's.
    await scene.attacker.next("Hello", ({ challenge }) => challenge !== undefined)
    await expectBadProof(scene.attacker, await scene.attacker.proof("B", makeSigningKey()))
    await scene.owner.prove("B", scene.ownerKey)
    await scene.owner.subscribe("B")
    await expectUnharmed(scene)
  })

  it("in a race of two that enroll one name: one gets it, the other nothing", async () => {
    const asked: Array<() => void> = []
    const enroll = ({ publicKey }: { readonly publicKey: string }) =>
      new Promise<string>((resolve) => asked.push(() => resolve(`home of ${publicKey}`)))
    const { server, url } = await startServer({ sessionAuth: "required", enroll })
    const racers = [await openDevice(url), await openDevice(url)]
    for (const racer of racers) racer.send(await racer.proof("N", makeSigningKey()))
    await expect.poll(() => asked.length).toBe(2)
    for (const answer of asked) answer()
    const won = await Promise.all(
      racers.map((racer) =>
        racer.until(() =>
          racer.received.find(({ _tag }) => _tag === "Authenticated" || _tag === "Error")?._tag === "Authenticated"
            ? true
            : racer.received.some(({ _tag }) => _tag === "Error")
              ? false
              : undefined
        )
      )
    )
    expect(won.filter(Boolean)).toHaveLength(1)
    const answers = await Promise.all(racers.map((racer) => racer.write("N", [todoAdded("a")])))
    expect(answers.map(({ _tag }) => _tag === "Ack")).toEqual(won)
    expect(await server.keys()).toMatchObject([{ publicKey: "N", storeId: "home of N" }])
    expect(await readAll(server, "home of N")).toHaveLength(1)
  })

  it("by enrolling while the administrator assigns the name: the assignment stands", async () => {
    let answer = () => {}
    const enroll = () =>
      new Promise<string>((resolve) => {
        answer = () => resolve("store of the squatter")
      })
    const { server, url } = await startServer({ sessionAuth: "required", enroll })
    const squatter = await openDevice(url)
    const idle = answer
    squatter.send(await squatter.proof("B", makeSigningKey()))
    await expect.poll(() => answer).not.toBe(idle)
    const { signingPublicKey } = makeSigningKey()
    await server.assign({ publicKey: "B", storeId: "store", signingPublicKey })
    answer()
    expect(await squatter.next("Error")).toMatchObject({ requestTag: "Authenticate", retryable: false })
    expect(await squatter.write("B", [todoAdded("x")])).toMatchObject(notProved)
    expect(await server.keys()).toEqual([{ publicKey: "B", storeId: "store", signingPublicKey }])
    expect(await readAll(server, "store of the squatter")).toEqual([])
  })

  it("by a key that auth refuses leaves the name free for its owner", async () => {
    const { server, url } = await startServer({
      sessionAuth: "required",
      auth: { read: () => {}, write: () => {}, identity: ({ connection }) => void (connection?.principal ?? refuse()) }
    })
    await server.assign({ publicKey: "B", storeId: "store" })
    const squatter = await openDevice(url)
    squatter.send(await squatter.proof("B", makeSigningKey()))
    expect(await squatter.next("Error")).toMatchObject({ code: "Forbidden" })
    expect(await server.keys()).toMatchObject([{ publicKey: "B", signingPublicKey: undefined }])
    const owner = await openDevice(`${url}/?principal=bea`)
    await owner.prove("B", makeSigningKey())
  })
})
