import { describe, it } from "@effect/vitest"
import { todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Deferred, Effect } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { bytesEqual } from "../../src/connection/access.ts"
import { CurrentConnection } from "../../src/connection/CurrentConnection.ts"
import { makeScene, storeId } from "./harness.ts"

/** Something that begins to wait when it is asked, until the test lets it go on. */
const makeGate = () => {
  const reached = Deferred.makeUnsafe<void>()
  const opened = Deferred.makeUnsafe<void>()
  return {
    pass: Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(opened)),
    reached: Deferred.await(reached),
    open: Effect.asVoid(Deferred.succeed(opened, undefined))
  }
}

describe("while a subscription is being opened", () => {
  it.effect("a connection that is cut gets none", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const scene = yield* makeScene({ auth: { authorizeRead: () => gate.pass } })
      const wire = scene.connect()
      wire.subscribe()
      yield* gate.reached
      wire.cut()
      yield* gate.open
      const other = scene.connect()
      yield* other.settled
      expect(yield* scene.server.stats).toMatchObject({ connections: 1, subscriptions: 0, stores: 0 })
      expect(wire.all("Subscribed")).toEqual([])
      expect(scene.listeners()).toBe(0)
    })
  )

  it.effect.each(["off", "required"] as const)("a key that is removed gets none (session auth %s)", (sessionAuth) =>
    Effect.gen(function* () {
      const gate = makeGate()
      const scene = yield* makeScene({
        sessionAuth,
        wrapStore: (store) => ({ read: (...args) => Effect.tap(store.read(...args), gate.pass) })
      })
      const wire = scene.connect()
      if (sessionAuth === "required") yield* wire.prove("A", makeSigningKey())
      const id = wire.subscribe()
      yield* gate.reached
      yield* scene.server.remove("A")
      yield* gate.open
      expect(yield* wire.answer(id)).toMatchObject({ _tag: "Error", requestTag: "RequestChanges" })
      expect((yield* scene.server.stats).subscriptions).toBe(0)
    })
  )

  it.effect("a key that another node takes away gets none", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      let isGated = false
      const scene = yield* makeScene({
        wrapStore: (store) => ({
          read: (...args) => Effect.tap(store.read(...args), () => (isGated ? gate.pass : Effect.void))
        })
      })
      const [reader, wire] = [scene.connect(), scene.connect()]
      yield* reader.answer(reader.subscribe())
      isGated = true
      const id = wire.subscribe()
      yield* gate.reached
      yield* scene.registry.remove("A")
      // The note has come when the other reader has lost its subscription.
      yield* reader.nth("Error")
      yield* gate.open
      expect(yield* wire.answer(id)).toMatchObject({ _tag: "Error", reason: "NotMapped" })
      expect((yield* scene.server.stats).subscriptions).toBe(0)
    })
  )

  it.effect("a server that drains starts none", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const scene = yield* makeScene({ auth: { authorizeRead: () => gate.pass } })
      const wire = scene.connect({ bufferedBytes: () => 0 })
      const id = wire.subscribe()
      yield* gate.reached
      yield* Effect.forkChild(scene.server.drain, { startImmediately: true })
      yield* gate.open
      expect(yield* wire.answer(id)).toMatchObject({ _tag: "Error", reason: "ShuttingDown" })
      expect(wire.all("Subscribed")).toEqual([])
    })
  )
})

describe("while a key is being proved", () => {
  it.effect("an administrator's new signing key wins", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      let isGated = true
      const scene = yield* makeScene({
        sessionAuth: "required",
        wrapRegistry: (registry) => ({
          bind: (claim) =>
            Effect.tap(registry.bind(claim), () => {
              if (!isGated) return Effect.void
              isGated = false
              return gate.pass
            })
        })
      })
      const wire = scene.connect()
      yield* wire.nth("Hello")
      const [old, renewed] = [makeSigningKey(), makeSigningKey()]
      wire.request(yield* wire.proof("A", old))
      yield* gate.reached
      const { signingPublicKey } = renewed
      yield* scene.server.assign({ publicKey: "A", storeId, signingPublicKey })
      yield* gate.open
      expect(yield* wire.nth("Error")).toMatchObject({ requestTag: "Authenticate", retryable: true })
      yield* wire.nth("Hello", 2)
      expect(yield* wire.answer(wire.write([todoAdded("a")]))).toMatchObject({ reason: "NotProved" })
      expect(yield* wire.prove("A", renewed)).toMatchObject({ _tag: "Authenticated" })
    })
  )

  it.effect("a removal wins", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const scene = yield* makeScene({
        sessionAuth: "required",
        wrapRegistry: (registry) => ({ bind: (claim) => Effect.tap(registry.bind(claim), gate.pass) })
      })
      const wire = scene.connect()
      yield* wire.nth("Hello")
      wire.request(yield* wire.proof("A", makeSigningKey()))
      yield* gate.reached
      yield* scene.server.remove("A")
      yield* gate.open
      expect(yield* wire.nth("Error")).toMatchObject({ requestTag: "Authenticate" })
      expect(yield* wire.answer(wire.subscribe())).toMatchObject({ reason: "NotProved" })
    })
  )

  it.effect("a removal on another node wins", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const scene = yield* makeScene({
        sessionAuth: "required",
        wrapRegistry: (registry) => ({
          bind: (claim) =>
            Effect.tap(registry.bind(claim), () =>
              Effect.flatMap(CurrentConnection, (it) => (it?.principal === "late" ? gate.pass : Effect.void))
            )
        })
      })
      const key = makeSigningKey()
      const [reader, wire] = [scene.connect(), scene.connect({ principal: "late" })]
      yield* Effect.forEach([reader, wire], (each) => each.nth("Hello"))
      yield* reader.prove("A", key)
      yield* reader.answer(reader.subscribe())
      wire.request(yield* wire.proof("A", key))
      yield* gate.reached
      yield* scene.registry.remove("A")
      // The note has come when the other connection has lost its subscription.
      yield* reader.nth("Error")
      yield* gate.open
      const answer = yield* wire.until(() => wire.all("Error")[0] ?? wire.all("Authenticated")[0])
      expect(answer).toMatchObject({ _tag: "Error", requestTag: "Authenticate" })
      expect(yield* wire.answer(wire.write([todoAdded("a")]))).toMatchObject({ reason: "NotProved" })
    })
  )
})

describe("while a key is checked again", () => {
  it.effect("a proof that replaced the one in question stays", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      const [old, renewed] = [makeSigningKey(), makeSigningKey()]
      const { signingPublicKey } = renewed
      let isChecking = false
      const scene = yield* makeScene({
        sessionAuth: "required",
        reauthorizeInterval: "1 second",
        wrapRegistry: (registry) => ({
          bind: (claim) =>
            // The check asks about the old proof, and is answered after the new one.
            isChecking && bytesEqual(claim.signingPublicKey, old.signingPublicKey)
              ? Effect.andThen(gate.pass, registry.bind(claim))
              : registry.bind(claim)
        })
      })
      const wire = scene.connect()
      yield* wire.nth("Hello")
      yield* wire.prove("A", old)
      isChecking = true
      yield* Effect.andThen(TestClock.adjust("1 second"), gate.reached)
      yield* scene.registry.assign({ publicKey: "A", storeId, signingPublicKey })
      expect(yield* wire.prove("A", renewed)).toMatchObject({ _tag: "Authenticated" })
      yield* gate.open
      expect(yield* wire.answer(wire.write([todoAdded("a")]))).toMatchObject({ _tag: "Ack" })
    })
  )

  it.effect("a subscription that replaced the one in question stays", () =>
    Effect.gen(function* () {
      const gate = makeGate()
      let asked = 0
      const scene = yield* makeScene({
        reauthorizeInterval: "1 second",
        wrapRegistry: (registry) => ({
          resolve: (publicKey) =>
            // The second question is the check's, and its answer is out of date.
            ++asked === 2
              ? Effect.andThen(gate.pass, Effect.succeed("elsewhere" as typeof storeId))
              : registry.resolve(publicKey)
        })
      })
      const wire = scene.connect()
      yield* wire.answer(wire.subscribe())
      yield* Effect.andThen(TestClock.adjust("1 second"), gate.reached)
      yield* wire.answer(wire.subscribe())
      yield* gate.open
      yield* wire.settled
      expect((yield* scene.server.stats).subscriptions).toBe(1)
      expect(wire.all("Error")).toEqual([])
    })
  )
})
