import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import { EventLogServerAuthError } from "../../src/backend/EventLogServerAuth.ts"
import type { Access, AccessError } from "../../src/connection/access.ts"
import { challengeMillis, Proofs } from "../../src/connection/proofs.ts"
import { RequestError } from "../../src/wire/errors.ts"
import { defaultLimits, type Limits } from "../../src/wire/limits.ts"
import { makeSigningKey, type SigningKey, signProof } from "../server/device.ts"

const remoteId = EventJournal.makeRemoteIdUnsafe()
const key = makeSigningKey()

/** Verifies an answer and accepts its key, as a session does. */
const prove = (proofs: Proofs, ...answer: Parameters<Proofs["verify"]>) =>
  Effect.flatMap(proofs.verify(...answer), (claim) => proofs.accept(claim))

/** Proofs with a clock that the test sets, and access that says what the test has it say. */
const makeScene = (
  options: { readonly limits?: Partial<Limits>; readonly access?: Effect.Effect<void, AccessError> } = {}
) => {
  let asked = 0
  const access: Access["Service"] = {
    prove: () =>
      Effect.suspend(() => {
        asked++
        return options.access ?? Effect.void
      }),
    isStillBound: () => Effect.succeed(true),
    read: () => Effect.die("unused"),
    write: () => Effect.die("unused")
  }
  const proofs = new Proofs(remoteId, access, { ...defaultLimits, ...options.limits })
  const sign = (challenge: Uint8Array, publicKey = "A", by: SigningKey = key) =>
    Effect.promise(() => signProof({ remoteId, challenge, publicKey, key: by }))
  return {
    proofs,
    sign,
    asked: () => asked,
    /** Answers a fresh challenge. */
    prove: (publicKey: string, by: SigningKey = key) =>
      Effect.gen(function* () {
        return yield* prove(proofs, yield* sign(yield* proofs.issue(0), publicKey, by), 0)
      })
  }
}

const badProof = { _tag: "RequestError", reason: "BadProof" }

describe("a challenge", () => {
  it.effect("is 32 fresh bytes", () =>
    Effect.gen(function* () {
      const { proofs } = makeScene()
      const [first, second] = [yield* proofs.issue(0), yield* proofs.issue(0)]
      expect([first.length, second.length]).toEqual([32, 32])
      expect(first).not.toEqual(second)
    })
  )

  it.effect("is used up by an answer, right or wrong", () =>
    Effect.gen(function* () {
      const { proofs, sign } = makeScene()
      const right = yield* sign(yield* proofs.issue(0))
      yield* prove(proofs, right, 0)
      expect(yield* Effect.flip(prove(proofs, right, 0))).toMatchObject(badProof)
      const late = yield* sign(yield* proofs.issue(0))
      yield* Effect.flip(prove(proofs, { ...late, signature: new Uint8Array(64) }, 0))
      expect(yield* Effect.flip(prove(proofs, late, 0))).toMatchObject(badProof)
      expect(proofs.hasChallenge).toBe(false)
    })
  )

  it.effect("is replaced by the next one", () =>
    Effect.gen(function* () {
      const { proofs, sign } = makeScene()
      const first = yield* sign(yield* proofs.issue(0))
      yield* proofs.issue(0)
      expect(yield* Effect.flip(prove(proofs, first, 0))).toMatchObject(badProof)
    })
  )

  it.effect("may be answered for five minutes", () =>
    Effect.gen(function* () {
      const { proofs, sign } = makeScene()
      const now = 1_700_000_000_000
      yield* prove(proofs, yield* sign(yield* proofs.issue(now)), now + challengeMillis - 1)
      const late = yield* sign(yield* proofs.issue(now))
      expect(yield* Effect.flip(prove(proofs, late, now + challengeMillis))).toMatchObject(badProof)
      expect(proofs.size).toBe(1)
    })
  )

  it.effect("that was never issued can't be answered", () =>
    Effect.gen(function* () {
      const { proofs, sign } = makeScene()
      const guess = yield* sign(new Uint8Array(32))
      expect(yield* Effect.flip(prove(proofs, guess, 0))).toMatchObject(badProof)
    })
  )
})

describe("a proof", () => {
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
      const { asked, proofs, sign } = makeScene()
      const right = yield* sign(yield* proofs.issue(0))
      expect(yield* Effect.flip(prove(proofs, { ...right, ...forged }, 0))).toMatchObject(badProof)
      expect([proofs.size, asked()]).toEqual([0, 0])
    })
  )

  it.effect("for another server is refused", () =>
    Effect.gen(function* () {
      const { proofs } = makeScene()
      const challenge = yield* proofs.issue(0)
      const elsewhere = EventJournal.makeRemoteIdUnsafe()
      const proof = yield* Effect.promise(() => signProof({ remoteId: elsewhere, challenge, publicKey: "A", key }))
      expect(yield* Effect.flip(prove(proofs, proof, 0))).toMatchObject(badProof)
    })
  )

  it.effect("of a key that is proved already succeeds without asking again, and takes no room", () =>
    Effect.gen(function* () {
      const { asked, proofs, prove } = makeScene({ limits: { maxKeys: 1 } })
      yield* prove("A")
      yield* prove("A")
      expect([proofs.size, asked()]).toEqual([1, 1])
      expect(yield* Effect.flip(prove("B"))).toMatchObject({ reason: "Limit" })
      proofs.revoke("A")
      yield* prove("B")
    })
  )

  it.effect("with another signing key replaces the one before, if access allows it", () =>
    Effect.gen(function* () {
      const { asked, proofs, prove } = makeScene()
      yield* prove("A")
      const other = makeSigningKey()
      yield* prove("A", other)
      expect(asked()).toBe(2)
      expect(proofs.get("A")?.signingPublicKey).toEqual(other.signingPublicKey)
    })
  )
})

describe("proofs that fail", () => {
  const refused = new EventLogServerAuthError({ reason: "Forbidden", publicKey: "A" })

  it.effect("are counted, refusals too", () =>
    Effect.gen(function* () {
      const { proofs, prove } = makeScene({ limits: { maxFailedProofs: 2 }, access: Effect.fail(refused) })
      yield* Effect.flip(prove("A"))
      expect([proofs.size, proofs.isExhausted]).toEqual([0, false])
      yield* Effect.flip(prove("A"))
      expect(proofs.isExhausted).toBe(true)
    })
  )

  it.effect("for an outage or a limit are not", () =>
    Effect.gen(function* () {
      const away = new RequestError({ reason: "Unavailable", message: "away" })
      const { proofs, prove } = makeScene({ limits: { maxFailedProofs: 1 }, access: Effect.fail(away) })
      yield* Effect.flip(prove("A"))
      expect([proofs.size, proofs.isExhausted]).toEqual([0, false])
    })
  )
})
