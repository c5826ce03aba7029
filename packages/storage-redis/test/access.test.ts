import { type AccessChange, StoreId } from "@eventlog-server/core/backend"
import { RedisServer, redisMissing } from "@eventlog-server/testkit/databases"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect, Exit, Scope, Stream } from "effect"
import { Redis } from "ioredis"
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest"
import { redisBackend } from "../src/index.ts"
import { openNode } from "./node.ts"

const storeId = StoreId.make("store")
const signingKey = (byte: number) => new Uint8Array(32).fill(byte)

describeUnless(redisMissing())("keys on Redis", () => {
  let server: RedisServer

  beforeAll(async () => {
    server = await RedisServer.start()
  })
  afterAll(() => server.stop())

  const open = async () => {
    const { close, registry } = await openNode(redisBackend({ redis: () => new Redis(server.url) }).layer)
    onTestFinished(close)
    return registry
  }

  /** Writes and publications that the server counted. */
  const counts = () =>
    server.ask(async (redis) => {
      const info = await redis.info("everything")
      return [/^rdb_changes_since_last_save:.*$/m, /^cmdstat_publish:calls=\d+/m].map((line) => info.match(line)?.[0])
    })

  it("are only read where a signing key is bound", async () => {
    const registry = await open()
    const keys = Array.from({ length: 1_000 }, (_, number) => `bound ${number}`)
    const all = <A>(call: (publicKey: string) => Effect.Effect<A, unknown>) =>
      Effect.runPromise(Effect.forEach(keys, call, { concurrency: "unbounded" }))
    await all((publicKey) => registry.assign({ publicKey, storeId }))
    await all((publicKey) => registry.bind({ publicKey, signingPublicKey: signingKey(1) }))
    // One that is published, so that there is something to count.
    for (const key of [1, 2])
      await Effect.runPromise(registry.assign({ publicKey: "rebound", storeId, signingPublicKey: signingKey(key) }))
    const before = await counts()
    const bound = await all((publicKey) => registry.bind({ publicKey, signingPublicKey: signingKey(2) }))
    await all((publicKey) => registry.resolve(publicKey))
    expect(new Set(bound.map(([byte]) => byte))).toEqual(new Set([1]))
    expect(before).not.toContain(undefined)
    expect(await counts()).toEqual(before)
  })

  it("are named to other nodes when their access changed, and not when it was changed in vain", async () => {
    const [node, peer] = [await open(), await open()]
    const scope = Scope.makeUnsafe()
    onTestFinished(() => Effect.runPromise(Scope.close(scope, Exit.void)))
    const pull = await Effect.runPromise(Scope.provide(Stream.toPull(Stream.rechunk(peer.changes, 1)), scope))
    const next = async (): Promise<AccessChange> => (await Effect.runPromise(Effect.orDie(pull)))[0]
    const change = async (publicKey: string) => {
      await Effect.runPromise(node.assign({ publicKey, storeId }))
      await Effect.runPromise(node.remove(publicKey))
    }
    // At first, before it has connected, it says that any may have changed.
    let first: AccessChange = "any"
    while (first === "any") {
      await change(crypto.randomUUID())
      first = await next()
    }
    const mapping = { publicKey: "key", storeId, signingPublicKey: signingKey(1) }
    await Effect.runPromise(node.assign(mapping))
    await Effect.runPromise(node.assign(mapping))
    await Effect.runPromise(node.assign({ publicKey: "key", storeId }))
    await Effect.runPromise(node.bind(mapping))
    await Effect.runPromise(node.enroll({ ...mapping, publicKey: "enrolled" }))
    await Effect.runPromise(node.remove("never mapped"))
    await change("last")
    let last: AccessChange
    do last = await next()
    while (last === "any" || last.publicKey.includes("-"))
    expect(last).toEqual({ publicKey: "last" })
  })
})
