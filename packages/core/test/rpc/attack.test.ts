import { Context, Effect, Layer, Schema } from "effect"
import { EventJournal, EventLogMessage } from "effect/eventlog"
import { Rpc, type RpcMessage, RpcSerialization } from "effect/rpc"
import { describe, expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { makeSigningKey, type SigningKey, signProof } from "../server/device.ts"
import { openDevice, readAll, startServer } from "../server/host.ts"
import { todoAdded } from "../server/todos.ts"

const {
  AuthenticateRpc,
  ChangesRpc,
  ChunkedMessage,
  HelloRpc,
  WriteChunkedRpc,
  WriteEntriesUnencrypted,
  WriteSingleRpc
} = EventLogMessage
const serialization = Context.get(
  Effect.runSync(Effect.scoped(Layer.build(RpcSerialization.layerSchemaBinary()))),
  RpcSerialization.RpcSerialization
)
const codec = (schema: Schema.Top) => serialization.codecFor(schema as Schema.Codec<unknown>)
const storeId = EventLogMessage.StoreId.make("default")

interface Outcome {
  readonly _tag: string
  readonly value?: unknown
  readonly code?: string
}

/** A peer that speaks effect's RPC by hand, so that a test can say exactly what it likes. */
class Peer {
  readonly socket: WebSocket
  readonly opened: Promise<unknown>
  readonly closed: Promise<number>
  readonly parser = serialization.makeUnsafe()
  private readonly waiting = new Map<unknown, (exit: unknown) => void>()
  private nextId = 1

  constructor(url: string) {
    this.socket = new WebSocket(`${url}/rpc`, { perMessageDeflate: false })
    this.opened = new Promise((resolve) => this.socket.once("open", resolve))
    this.closed = new Promise((resolve) => this.socket.once("close", resolve))
    this.socket.on("error", () => {})
    this.socket.on("message", (data: Buffer) => {
      for (const message of this.parser.decode(Uint8Array.from(data)) as Array<RpcMessage.FromServerEncoded>) {
        if (message._tag === "Exit") this.waiting.get(message.requestId)?.(message.exit)
      }
    })
    onTestFinished(() => this.socket.terminate())
  }

  send(message: object): void {
    this.socket.send(this.parser.encode(message) as Uint8Array)
  }

  async call(rpc: Rpc.AnyWithProps, payload?: unknown, id: number = this.nextId++): Promise<Outcome> {
    const encoded = Schema.encodeUnknownSync(codec(rpc.payloadSchema))(payload)
    const exit = new Promise((resolve) => this.waiting.set(id, resolve))
    this.send({ _tag: "Request", id, tag: rpc._tag, payload: encoded, headers: [] })
    const decoded = Schema.decodeUnknownSync(codec(Rpc.exitSchema(rpc as never)))(await exit) as {
      readonly _tag: string
      readonly value?: unknown
      readonly cause?: { readonly reasons: ReadonlyArray<{ readonly error?: { readonly code: string } }> }
    }
    const code = decoded.cause?.reasons[0]?.error?.code
    return { _tag: decoded._tag, value: decoded.value, ...(code === undefined ? {} : { code }) }
  }

  async proof(publicKey: string, key: SigningKey) {
    const { challenge, remoteId } = (await this.call(HelloRpc as never)).value as EventLogMessage.HelloResponse
    const proof = await signProof({ remoteId, challenge, publicKey, key })
    return { publicKey, signingPublicKey: proof.signingPublicKey, signature: proof.signature, algorithm: "Ed25519" }
  }

  authenticate(proof: object): Promise<Outcome> {
    return this.call(AuthenticateRpc as never, new EventLogMessage.Authenticate(proof as never))
  }

  async write(publicKey: string, entries = [todoAdded("theft")]): Promise<Outcome> {
    const data = await Effect.runPromise(new WriteEntriesUnencrypted({ publicKey, storeId, entries }).encoded)
    return this.call(WriteSingleRpc as never, { data })
  }

  async writeInParts(publicKey: string): Promise<Outcome> {
    const data = await Effect.runPromise(
      new WriteEntriesUnencrypted({ publicKey, storeId, entries: [todoAdded("theft")] }).encoded
    )
    await this.part(7, [0, 2], data.slice(0, 20))
    return this.part(7, [1, 2], data.slice(20))
  }

  part(id: number, part: readonly [number, number], data: Uint8Array): Promise<Outcome> {
    return this.call(WriteChunkedRpc as never, new ChunkedMessage({ id, part, data: data as Uint8Array<ArrayBuffer> }))
  }

  changes(publicKey: string): Promise<Outcome> {
    return this.call(ChangesRpc as never, { publicKey, storeId, startSequence: 0 })
  }
}

/** A server with the keys `A`, which the attacker proved, and `B`, which is somebody else's. */
const makeScene = async (limits = {}) => {
  const { server, url } = await startServer({ sessionAuth: "required", limits })
  for (const publicKey of ["A", "B"]) await server.assign({ publicKey, storeId: `store of ${publicKey}` })
  const owner = await openDevice(url)
  const [key, ownerKey] = [makeSigningKey(), makeSigningKey()]
  await owner.prove("B", ownerKey)
  const attacker = new Peer(url)
  await attacker.opened
  expect(await attacker.authenticate(await attacker.proof("A", key))).toMatchObject({ _tag: "Success" })
  const unharmed = async () => {
    expect(await readAll(server, "store of B")).toEqual([])
    expect(await owner.write("B", [todoAdded("mine")])).toMatchObject({ _tag: "Ack", sequenceNumbers: [1] })
  }
  return { server, url, attacker, key, ownerKey, unharmed }
}

describe("a key that was not proved on this connection", () => {
  it("is refused on every call", async () => {
    const { attacker, unharmed } = await makeScene()
    expect(await attacker.write("B")).toMatchObject({ code: "Forbidden" })
    expect(await attacker.writeInParts("B")).toMatchObject({ code: "Forbidden" })
    expect(await attacker.changes("B")).toMatchObject({ code: "Forbidden" })
    expect(await attacker.write("A")).toMatchObject({ _tag: "Success", value: [] })
    await unharmed()
  })

  it("is refused before anything was proved, and nothing is joined", async () => {
    const { unharmed, url } = await makeScene()
    const stranger = new Peer(url)
    await stranger.opened
    expect(await stranger.write("B")).toMatchObject({ code: "Forbidden" })
    expect(await stranger.part(1, [0, 2], new Uint8Array(400_000))).toMatchObject({ code: "Forbidden" })
    expect(await stranger.changes("B")).toMatchObject({ code: "Forbidden" })
    await unharmed()
  })

  it("is not proved by another signing key, a replayed signature or a wrong one, and stays bound", async () => {
    const { attacker, key, ownerKey, server, unharmed } = await makeScene()
    expect(await attacker.authenticate(await attacker.proof("B", key))).toMatchObject({ code: "Unauthorized" })
    const proof = await attacker.proof("A", key)
    expect(await attacker.authenticate({ ...proof, publicKey: "B" })).toMatchObject({ code: "Unauthorized" })
    expect(await attacker.authenticate(proof)).toMatchObject({ code: "Forbidden" })
    const forged = { ...(await attacker.proof("B", key)), signingPublicKey: ownerKey.signingPublicKey }
    expect(await attacker.authenticate(forged)).toMatchObject({ code: "Unauthorized" })
    const bound = (await server.keys()).find(({ publicKey }) => publicKey === "B")
    expect(bound?.signingPublicKey).toEqual(ownerKey.signingPublicKey)
    await unharmed()
  })

  it("closes a peer that goes on guessing", async () => {
    const { attacker, unharmed } = await makeScene()
    for (let guess = 0; guess < 5; guess++) {
      attacker.authenticate(await attacker.proof("B", makeSigningKey())).catch(() => {})
    }
    expect(await attacker.closed).toBe(1008)
    await unharmed()
  })
})

describe("frames and chunks", () => {
  const ping = serialization.makeUnsafe().encode({ _tag: "Ping" }) as Uint8Array
  it.each([
    ["noise", 1007, () => [Uint8Array.from({ length: 64 }, (_, index) => index * 7)]],
    ["a message that is cut off", 1007, () => [ping.subarray(0, ping.length - 1)]],
    ["a length without an end", 1007, () => [new Uint8Array(8).fill(0xff)]],
    ["a length beyond the frame", 1007, () => [Uint8Array.of(0xff, 0xff, 0x7f, 1)]],
    ["hundreds of messages in one frame", 1007, () => [Buffer.concat(Array(200).fill(ping))]],
    ["a text frame", 1007, () => ["text"]],
    ["a frame that is too big", 1009, () => [new Uint8Array(1024 * 1024 + 1)]],
    ["a flood of pings", 1008, () => Array(20_000).fill(ping) as Array<Uint8Array>]
  ] as const)("of %s close their connection with %i, and nothing else", async (_, code, frames) => {
    const { attacker, unharmed } = await makeScene()
    for (const frame of frames()) attacker.socket.send(frame)
    expect(await attacker.closed).toBe(code)
    await unharmed()
  })

  it.each([
    ["too many that are begun", 1008, [0, 1, 2, 3, 4].map((id) => [id, 0, 2] as const)],
    ["more parts than a message can have", 1009, [[1, 0, 2 ** 40]]],
    [
      "the same part again",
      1008,
      [
        [1, 0, 2],
        [1, 0, 2]
      ]
    ],
    [
      "totals that differ",
      1008,
      [
        [1, 0, 2],
        [1, 1, 3]
      ]
    ]
  ] as const)("in chunks: %s", async (_, code, parts) => {
    const { attacker, unharmed } = await makeScene()
    for (const [id, index, total] of parts) {
      attacker.part(id, [index, total], new Uint8Array(9)).catch(() => {})
    }
    expect(await attacker.closed).toBe(code)
    await unharmed()
  })

  it("that grow beyond a message end the connection", async () => {
    const { attacker, unharmed } = await makeScene({ maxRpcMessageBytes: 1_000_000 })
    for (let index = 0; index < 4; index++) attacker.part(1, [index, 4], new Uint8Array(400_000)).catch(() => {})
    expect(await attacker.closed).toBe(1009)
    await unharmed()
  })

  it("refuses entries that can't be decoded or stored, and a call of no known name", async () => {
    const { attacker, unharmed } = await makeScene()
    expect(await attacker.call(WriteSingleRpc as never, { data: Uint8Array.of(9, 9, 9) })).toMatchObject({
      code: "InvalidRequest"
    })
    const bad = new EventJournal.Entry({ ...todoAdded("x"), id: new Uint8Array(16) as never }, { disableChecks: true })
    expect(await attacker.write("A", [bad])).toMatchObject({ code: "InvalidRequest" })
    expect(await attacker.call({ ...HelloRpc, _tag: "EventLog.None" } as never).catch(() => "refused")).toBeDefined()
    expect(await attacker.write("A", [todoAdded("good")])).toMatchObject({ _tag: "Success" })
    await unharmed()
  })

  it("closes a peer that uses an id twice", async () => {
    const { attacker, unharmed } = await makeScene()
    attacker.changes("A").catch(() => {})
    attacker.call(ChangesRpc as never, { publicKey: "A", storeId, startSequence: 0 }, 1_000).catch(() => {})
    attacker.call(ChangesRpc as never, { publicKey: "A", storeId, startSequence: 0 }, 1_000).catch(() => {})
    expect(await attacker.closed).toBe(1008)
    await unharmed()
  })
})
