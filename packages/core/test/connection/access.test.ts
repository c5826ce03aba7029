import { describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, References } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { EventLogServerAuth, EventLogServerAuthError } from "../../src/backend/EventLogServerAuth.ts"
import {
  EventLogServerStoreRegistry,
  EventLogServerStoreRegistryError
} from "../../src/backend/EventLogServerStoreRegistry.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import { Access, layerAccess } from "../../src/connection/access.ts"
import { CurrentConnection } from "../../src/connection/CurrentConnection.ts"
import { makeRegistryState, makeStoreRegistry } from "../../src/memory/storeRegistry.ts"

const storeId = StoreId.make("store")
const claim = { publicKey: "A", signingPublicKey: new Uint8Array(32).fill(1) }
const otherKey = new Uint8Array(32).fill(2)
const refused = new EventLogServerAuthError({ reason: "Forbidden", publicKey: "A" })
const away = new EventLogServerStoreRegistryError({ reason: "Unavailable" })

type Registry = EventLogServerStoreRegistry["Service"]

const makeScene = Effect.fnUntraced(function* (
  auth: Partial<EventLogServerAuth["Service"]> = {},
  wrap: (registry: Registry) => Partial<Registry> = () => ({})
) {
  const registry = makeStoreRegistry(makeRegistryState())
  const layer = layerAccess({ authTimeout: Duration.seconds(10) }).pipe(
    Layer.provide(
      Layer.mergeAll(
        Layer.succeed(EventLogServerAuth, {
          authorizeRead: () => Effect.void,
          authorizeWrite: () => Effect.void,
          ...auth
        }),
        Layer.succeed(EventLogServerStoreRegistry, { ...registry, ...wrap(registry) })
      )
    )
  )
  return { access: Context.get(yield* Layer.build(layer), Access), registry }
})

const unavailable = { _tag: "RequestError", reason: "Unavailable" }

const weird: ReadonlyArray<readonly [string, () => Effect.Effect<never, never>]> = [
  ["dies", () => Effect.die(new Error("a bug"))],
  ["dies of nothing", () => Effect.die(null)],
  ["interrupts itself", () => Effect.interrupt],
  [
    "throws before it gives an effect",
    () => {
      throw new Error("a bug")
    }
  ]
]

describe("access to a store", () => {
  it.effect("is asked of auth before the registry, and answers the store", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const note = (what: string) => Effect.sync(() => void asked.push(what))
      const { access, registry } = yield* makeScene(
        { authorizeRead: () => note("read"), authorizeWrite: ({ entries }) => note(`write ${entries.length}`) },
        (registry) => ({ resolve: (key) => Effect.andThen(note("resolve"), registry.resolve(key)) })
      )
      yield* registry.assign({ publicKey: "A", storeId })
      expect(yield* access.read("A")).toBe(storeId)
      expect(yield* access.write("A", [])).toBe(storeId)
      expect(asked).toEqual(["read", "resolve", "write 0", "resolve"])
    })
  )

  it.effect("is there when the call returns where nobody has to be waited for", () =>
    Effect.gen(function* () {
      const { access, registry } = yield* makeScene({ authorizeWrite: () => Effect.sync(() => {}) })
      yield* registry.assign({ publicKey: "A", storeId })
      expect(access.writeAtOnce("A", [], Effect.runFork)).toEqual(Exit.succeed(storeId))
    })
  )

  it.effect("is asked for once, in the fibers that the caller names, where somebody has to be", () =>
    Effect.gen(function* () {
      let asked = 0
      const { access, registry } = yield* makeScene({
        authorizeWrite: () =>
          Effect.andThen(
            Effect.sleep(1),
            Effect.map(CurrentConnection, () => asked++)
          )
      })
      yield* registry.assign({ publicKey: "A", storeId })
      const begun: Array<Fiber.Fiber<unknown, unknown>> = []
      const run = Effect.runForkWith(yield* Effect.context<never>())
      const answer = access.writeAtOnce("A", [], (effect) => {
        const fiber = run(effect)
        begun.push(fiber)
        return fiber
      })
      expect([Exit.isExit(answer), begun.length]).toEqual([false, 1])
      const waiting = yield* Effect.forkChild(answer, { startImmediately: true })
      yield* TestClock.adjust(1)
      expect([yield* Fiber.join(waiting), asked, begun.length]).toEqual([storeId, 1, 2])
    })
  )

  it.effect("is not resolved where auth refuses", () =>
    Effect.gen(function* () {
      const { access } = yield* makeScene(
        { authorizeRead: () => Effect.fail(refused), authorizeWrite: () => Effect.fail(refused) },
        () => ({ resolve: () => Effect.die("asked") })
      )
      expect(yield* Effect.flip(access.read("A"))).toBe(refused)
      expect(yield* Effect.flip(access.write("A", []))).toBe(refused)
    })
  )

  it.effect.each(weird)("is an outage where auth %s", ([, broken]) =>
    Effect.gen(function* () {
      const { access } = yield* makeScene({ authorizeRead: broken, authorizeWrite: broken, authorizeIdentity: broken })
      expect(yield* Effect.flip(access.read("A"))).toMatchObject(unavailable)
      expect(yield* Effect.flip(access.write("A", []))).toMatchObject(unavailable)
      expect(yield* Effect.flip(access.prove(claim))).toMatchObject(unavailable)
    }).pipe(quietly)
  )

  it.effect.each(weird)("is an outage where the registry %s", ([, broken]) =>
    Effect.gen(function* () {
      const { access } = yield* makeScene({}, () => ({ resolve: broken, bind: broken }))
      expect(yield* Effect.flip(access.read("A"))).toMatchObject(unavailable)
      expect(yield* Effect.flip(access.prove(claim))).toMatchObject(unavailable)
      expect(yield* Effect.flip(access.isStillBound(claim))).toMatchObject(unavailable)
    }).pipe(quietly)
  )

  it.effect.each([
    ["waits for ever", Effect.never],
    ["can't be interrupted", Effect.uninterruptible(Effect.never)]
  ] as const)("is an outage after the timeout where auth %s", ([, hanging]) =>
    Effect.gen(function* () {
      const { access } = yield* makeScene({ authorizeRead: () => hanging })
      const fiber = yield* Effect.forkChild(Effect.flip(access.read("A")), { startImmediately: true })
      yield* TestClock.adjust("9999 millis")
      expect(fiber.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(fiber)).toMatchObject(unavailable)
    })
  )

  it.effect("interrupts a callback that nobody waits for any more", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const { access } = yield* makeScene({
        authorizeRead: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      })
      const fiber = yield* Effect.forkChild(access.read("A"), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      expect(interrupted).toBe(1)
    })
  )

  it.effect("shows the connection to every callback", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const note = Effect.map(CurrentConnection, (connection) => void seen.push(connection?.principal))
      const { access } = yield* makeScene({
        authorizeRead: () => note,
        authorizeWrite: () => note,
        authorizeIdentity: () => note,
        enroll: () => Effect.as(note, storeId)
      })
      const connection = { id: "1", remoteAddress: undefined, headers: {}, principal: "ann" }
      yield* access
        .prove(claim)
        .pipe(
          Effect.andThen(access.read("A")),
          Effect.andThen(access.write("A", [])),
          Effect.provideService(CurrentConnection, connection)
        )
      expect(seen).toEqual(["ann", "ann", "ann", "ann"])
    })
  )
})

describe("proving a key", () => {
  it.effect("binds the first signing key, and refuses another", () =>
    Effect.gen(function* () {
      const { access, registry } = yield* makeScene()
      yield* registry.assign({ publicKey: "A", storeId })
      yield* access.prove(claim)
      yield* access.prove(claim)
      expect(yield* Effect.flip(access.prove({ ...claim, signingPublicKey: otherKey }))).toMatchObject({
        reason: "BadProof"
      })
      expect(yield* access.isStillBound(claim)).toBe(true)
      yield* registry.assign({ publicKey: "A", storeId, signingPublicKey: otherKey })
      expect(yield* access.isStillBound(claim)).toBe(false)
    })
  )

  it.effect("asks identity first, and binds nothing where it refuses", () =>
    Effect.gen(function* () {
      const { access, registry } = yield* makeScene({ authorizeIdentity: () => Effect.fail(refused) })
      yield* registry.assign({ publicKey: "A", storeId })
      expect(yield* Effect.flip(access.prove(claim))).toBe(refused)
      expect(yield* registry.list({ limit: 1 })).toMatchObject([{ signingPublicKey: undefined }])
    })
  )

  it.effect("of an unknown key binds nothing without enroll, nor where enroll refuses", () =>
    Effect.gen(function* () {
      const [closed, picky] = [yield* makeScene(), yield* makeScene({ enroll: () => Effect.fail(refused) })]
      expect(yield* Effect.flip(closed.access.prove(claim))).toMatchObject({ reason: "NotMapped" })
      expect(yield* Effect.flip(picky.access.prove(claim))).toBe(refused)
      for (const { registry } of [closed, picky]) expect(yield* registry.list({ limit: 1 })).toEqual([])
    })
  )

  it.effect("of an unknown key enrolls it, mapped and bound", () =>
    Effect.gen(function* () {
      const { access, registry } = yield* makeScene({ enroll: () => Effect.succeed(storeId) })
      yield* access.prove(claim)
      expect(yield* registry.list({ limit: 1 })).toEqual([{ ...claim, storeId }])
    })
  )

  it.effect.each([
    ["has another signing key", {}, "BadProof"],
    ["can't be looked up now", { bind: () => Effect.fail(away) }, "Unavailable"]
  ] as const)("of a key that %s enrolls nothing, and asks nobody for a store", ([, broken, reason]) =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const enroll = () =>
        Effect.as(
          Effect.sync(() => asked.push("enroll")),
          storeId
        )
      const { access, registry } = yield* makeScene({ enroll }, () => broken)
      yield* registry.assign({ publicKey: "A", storeId, signingPublicKey: otherKey })
      expect(yield* Effect.flip(access.prove(claim))).toMatchObject({ reason })
      expect(asked).toEqual([])
    })
  )

  it.effect("does not bring a removed key back by enrolling it", () =>
    Effect.gen(function* () {
      const { access, registry } = yield* makeScene({ enroll: () => Effect.succeed(storeId) })
      yield* access.prove(claim)
      yield* registry.remove("A")
      expect(yield* Effect.flip(access.prove(claim))).toMatchObject({ reason: "NotMapped" })
    })
  )

  it.effect.each([
    ["into another store", { storeId: StoreId.make("other") }, "AlreadyAssigned"],
    ["with another signing key", { signingPublicKey: otherKey }, "BadProof"]
  ] as const)("loses against a device that was enrolled meanwhile %s", ([, other, reason]) =>
    Effect.gen(function* () {
      const { access } = yield* makeScene({ enroll: () => Effect.succeed(storeId) }, (registry) => ({
        enroll: (mapping) => Effect.andThen(registry.enroll({ ...mapping, ...other }), registry.enroll(mapping))
      }))
      expect(yield* Effect.flip(access.prove(claim))).toMatchObject({ reason })
    })
  )

  it.effect("binds a key that an administrator mapped while it was being enrolled", () =>
    Effect.gen(function* () {
      const { access, registry } = yield* makeScene({ enroll: () => Effect.succeed(storeId) }, (registry) => ({
        enroll: (mapping) => Effect.andThen(registry.assign({ publicKey: "A", storeId }), registry.enroll(mapping))
      }))
      yield* access.prove(claim)
      expect(yield* registry.list({ limit: 1 })).toEqual([{ ...claim, storeId }])
    })
  )
})

function quietly<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
  return Effect.provideService(effect, References.MinimumLogLevel, "None")
}
