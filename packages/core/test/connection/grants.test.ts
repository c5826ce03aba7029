import { describe, it } from "@effect/vitest"
import { makeSigningKey, type SigningKey, signProof } from "@eventlog-server/testkit/signing"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import { EventLogServerAuthError } from "../../src/backend/EventLogServerAuth.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import type { Access, AccessError } from "../../src/connection/access.ts"
import { challengeMillis } from "../../src/connection/Challenge.ts"
import { Grants } from "../../src/connection/Grants.ts"
import { Subscriptions } from "../../src/connection/Subscriptions.ts"
import { RequestError } from "../../src/wire/errors.ts"
import { defaultLimits, type Limits } from "../../src/wire/limits.ts"

const remoteId = EventJournal.makeRemoteIdUnsafe()
const key = makeSigningKey()

/** The grants of a connection with a clock that the test sets, and access that says what the test has it say. */
const makeScene = (
  options: {
    readonly limits?: Partial<Limits>
    readonly access?: Effect.Effect<void, AccessError>
    /** Others who are waited for before the registry is asked. */
    readonly gather?: Effect.Effect<void>
    /** What may be written is asked of it. */
    readonly writing?: Effect.Effect<StoreId, AccessError>
  } = {}
) => {
  const submitted: Array<StoreId> = []
  let asked = 0
  let now = 0
  const trust: Array<boolean> = []
  const access: Access["Service"] = {
    canEnroll: false,
    prove: () =>
      Effect.suspend(() => {
        asked++
        return options.access ?? Effect.void
      }),
    isStillBound: () => Effect.succeed(true),
    read: () => Effect.die("unused"),
    write: () => Effect.die("unused"),
    writeAtOnce: () => options.writing ?? Effect.die("unused")
  }
  const subscriptions = new Subscriptions({
    begin: () => {
      throw new Error("unused")
    },
    run: Effect.runFork,
    onLost: () => {}
  })
  const grants = new Grants({
    access,
    subscriptions,
    remoteId,
    limits: { ...defaultLimits, ...options.limits },
    now: () => now,
    submit: ({ storeId }) => void submitted.push(storeId),
    room: () => Effect.void,
    gather: () => options.gather ?? Effect.void,
    run: Effect.runFork,
    feed: { open: () => Effect.die("unused"), activeStores: () => 0 },
    onTrust: (isTrusted) => void trust.push(isTrusted)
  })
  const sign = (challenge: Uint8Array, publicKey = "A", by: SigningKey = key) =>
    Effect.sync(() => signProof({ remoteId, challenge, publicKey, key: by }))
  return {
    grants,
    submitted,
    challenge: grants.challenge!,
    trust,
    sign,
    asked: () => asked,
    setTime: (millis: number) => {
      now = millis
    },
    /** Answers a fresh challenge. */
    prove: (publicKey: string, by: SigningKey = key, remembers = false) =>
      Effect.gen(function* () {
        return yield* grants.prove(yield* sign(yield* grants.challenge!.issue(now), publicKey, by), remembers)
      })
  }
}

const refused = new EventLogServerAuthError({ reason: "Forbidden", publicKey: "A" })
const badProof = { _tag: "RequestError", reason: "BadProof" }

describe("a challenge", () => {
  it.effect("is 32 fresh bytes", () =>
    Effect.gen(function* () {
      const { challenge } = makeScene()
      const [first, second] = [yield* challenge.issue(0), yield* challenge.issue(0)]
      expect([first.length, second.length]).toEqual([32, 32])
      expect(first).not.toEqual(second)
    })
  )

  it.effect("is used up by an answer, right or wrong", () =>
    Effect.gen(function* () {
      const { challenge, grants, sign } = makeScene()
      const right = yield* sign(yield* challenge.issue(0))
      yield* grants.prove(right)
      expect(yield* Effect.flip(grants.prove(right))).toMatchObject(badProof)
      const late = yield* sign(yield* challenge.issue(0))
      yield* Effect.flip(grants.prove({ ...late, signature: new Uint8Array(64) }))
      expect(yield* Effect.flip(grants.prove(late))).toMatchObject(badProof)
      expect(challenge.isOpen).toBe(false)
    })
  )

  it.effect("is replaced by the next one", () =>
    Effect.gen(function* () {
      const { challenge, grants, sign } = makeScene()
      const first = yield* sign(yield* challenge.issue(0))
      yield* challenge.issue(0)
      expect(yield* Effect.flip(grants.prove(first))).toMatchObject(badProof)
    })
  )

  it.effect("may be answered for five minutes", () =>
    Effect.gen(function* () {
      const { challenge, grants, setTime, sign } = makeScene()
      const now = 1_700_000_000_000
      const inTime = yield* sign(yield* challenge.issue(now))
      setTime(now + challengeMillis - 1)
      yield* grants.prove(inTime)
      const late = yield* sign(yield* challenge.issue(now), "B")
      setTime(now + challengeMillis)
      expect(yield* Effect.flip(grants.prove(late))).toMatchObject(badProof)
      expect([grants.uses("A"), grants.uses("B")]).toEqual([true, false])
    })
  )

  it.effect("that was never issued can't be answered", () =>
    Effect.gen(function* () {
      const { grants, sign } = makeScene()
      const guess = yield* sign(new Uint8Array(32))
      expect(yield* Effect.flip(grants.prove(guess))).toMatchObject(badProof)
    })
  )
})

describe("a proof", () => {
  it.effect("that is right waits for others before anybody is asked about the key; a wrong one waits for nobody", () =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const others = yield* Deferred.make<void>()
      const { asked, challenge, grants, prove, sign } = makeScene({
        gather: Effect.andThen(Deferred.succeed(arrived, undefined), Deferred.await(others))
      })
      const wrong = { ...(yield* sign(yield* challenge.issue(0))), signature: new Uint8Array(64) }
      expect(yield* Effect.flip(grants.prove(wrong))).toMatchObject(badProof)
      expect(yield* Deferred.isDone(arrived)).toBe(false)
      const proving = yield* Effect.forkChild(prove("A"))
      yield* Deferred.await(arrived)
      expect([asked(), grants.isTrusted]).toEqual([0, false])
      yield* Deferred.succeed(others, undefined)
      yield* Fiber.join(proving)
      expect([asked(), grants.isTrusted]).toEqual([1, true])
    })
  )

  it.effect.each([
    ["another public key", { publicKey: "B" }],
    ["another signing key", { signingPublicKey: makeSigningKey().signingPublicKey }],
    ["another algorithm", { algorithm: "none" }],
    ["a signature of other bytes", { signature: new Uint8Array(64) }],
    ["a signature that is too short", { signature: new Uint8Array(3) }],
    ["no signature", { signature: new Uint8Array(0) }],
    ["a signing key that is too short", { signingPublicKey: new Uint8Array(31) }],
    ["no signing key", { signingPublicKey: new Uint8Array(0) }],
    ["a signing key of zeros", { signingPublicKey: new Uint8Array(32) }]
  ] as const)("with %s is refused, and asks nobody", ([, forged]) =>
    Effect.gen(function* () {
      const { asked, challenge, grants, sign } = makeScene()
      const right = yield* sign(yield* challenge.issue(0))
      expect(yield* Effect.flip(grants.prove({ ...right, ...forged }))).toMatchObject(badProof)
      expect([grants.isTrusted, asked()]).toEqual([false, 0])
    })
  )

  it.effect("for another server is refused", () =>
    Effect.gen(function* () {
      const { challenge, grants } = makeScene()
      const bytes = yield* challenge.issue(0)
      const elsewhere = EventJournal.makeRemoteIdUnsafe()
      const proof = signProof({ remoteId: elsewhere, challenge: bytes, publicKey: "A", key })
      expect(yield* Effect.flip(grants.prove(proof))).toMatchObject(badProof)
    })
  )

  it.effect("of a key that is proved already asks whether it may still be used, and takes no room", () =>
    Effect.gen(function* () {
      const { asked, grants, prove } = makeScene({ limits: { maxKeys: 1 } })
      yield* prove("A")
      yield* prove("A")
      expect(asked()).toBe(2)
      expect(yield* Effect.flip(prove("B"))).toMatchObject({ reason: "Limit" })
      grants.revoke("A", refused)
      yield* prove("B")
      expect([grants.uses("A"), grants.uses("B")]).toEqual([false, true])
    })
  )

  it.effect("that is refused takes the key away that was proved before", () =>
    Effect.gen(function* () {
      let isAllowed = true
      const { grants, prove, trust } = makeScene({
        access: Effect.suspend(() => (isAllowed ? Effect.void : Effect.fail(refused)))
      })
      yield* prove("A")
      isAllowed = false
      yield* Effect.flip(prove("A"))
      expect([grants.isTrusted, grants.uses("A")]).toEqual([false, false])
      expect(trust).toEqual([true, false])
    })
  )

  it.effect(
    "of a key that belongs to no store is remembered where the protocol wants it: it may act as soon as it does",
    () =>
      Effect.gen(function* () {
        let isMapped = false
        const notMapped = new RequestError({ reason: "NotMapped", message: "none" })
        const { grants, prove, setTime } = makeScene({
          access: Effect.suspend(() => (isMapped ? Effect.void : Effect.fail(notMapped)))
        })
        expect(yield* Effect.flip(prove("A"))).toMatchObject({ reason: "NotMapped" })
        expect(yield* Effect.flip(grants.require("A"))).toMatchObject({ reason: "NotProved" })
        expect(yield* Effect.flip(prove("A", key, true))).toMatchObject({ reason: "NotMapped" })
        expect(yield* Effect.flip(grants.require("A"))).toMatchObject({ reason: "NotMapped" })
        expect(yield* Effect.flip(grants.require())).toMatchObject({ reason: "NotMapped" })
        expect(yield* Effect.flip(grants.require("B"))).toMatchObject({ reason: "NotProved" })
        isMapped = true
        setTime(1_000)
        yield* grants.require("A")
        expect(grants.isTrusted).toBe(true)
      })
  )
})

describe("a write", () => {
  const storeId = StoreId.make("store")
  const write = { publicKey: "A", entries: [], begun: () => {}, complete: () => {} }

  it.effect("is queued when the call returns where nothing has to be waited for", () =>
    Effect.gen(function* () {
      const { grants, prove, submitted } = makeScene({ writing: Exit.succeed(storeId) })
      yield* prove("A")
      expect(grants.write(write)).toEqual(Exit.void)
      expect(submitted).toEqual([storeId])
    })
  )

  it.effect("is queued when it may be, where somebody has to be asked", () =>
    Effect.gen(function* () {
      const allowed = yield* Deferred.make<StoreId>()
      const { grants, prove, submitted } = makeScene({ writing: Deferred.await(allowed) })
      yield* prove("A")
      const waiting = yield* Effect.forkChild(grants.write(write), { startImmediately: true })
      expect(submitted).toEqual([])
      yield* Deferred.succeed(allowed, storeId)
      yield* Fiber.join(waiting)
      expect(submitted).toEqual([storeId])
    })
  )

  it("is refused when the call returns where the key is not proved", () => {
    const { grants, submitted } = makeScene({ writing: Exit.succeed(storeId) })
    expect(grants.write(write)).toMatchObject({ _tag: "Failure" })
    expect(submitted).toEqual([])
  })
})

describe("proofs that fail", () => {
  it.effect("are counted, refusals too", () =>
    Effect.gen(function* () {
      const { grants, prove } = makeScene({ limits: { maxFailedProofs: 2 }, access: Effect.fail(refused) })
      yield* Effect.flip(prove("A"))
      expect([grants.isTrusted, grants.isExhausted]).toEqual([false, false])
      yield* Effect.flip(prove("A"))
      expect(grants.isExhausted).toBe(true)
    })
  )

  it.effect("for an outage or a limit are not", () =>
    Effect.gen(function* () {
      const away = new RequestError({ reason: "Unavailable", message: "away" })
      const { grants, prove } = makeScene({ limits: { maxFailedProofs: 1 }, access: Effect.fail(away) })
      yield* Effect.flip(prove("A"))
      expect([grants.isTrusted, grants.isExhausted]).toEqual([false, false])
    })
  )
})
