import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { EventLog, EventLogMessage, EventLogRemote, EventLogSessionAuth } from "effect/eventlog"
import { CryptoUnavailable, deriveSigningKey, generateIdentity } from "../../src/client/index.ts"
import { makeIdentity, withGlobals } from "./fixtures.ts"
import { remoteId } from "./scriptedServer.ts"

type Identity = EventLog.Identity["Service"]

/** The public key that effect's own client proves for an identity. */
const stockSigningKey = Effect.fnUntraced(function* (identity: Identity) {
  let proved: Uint8Array | undefined
  const client = {
    "EventLog.Hello": () =>
      Effect.succeed(new EventLogMessage.HelloResponse({ remoteId, challenge: new Uint8Array(32) })),
    "EventLog.Authenticate": (request: { readonly signingPublicKey: Uint8Array }) =>
      Effect.sync(() => {
        proved = request.signingPublicKey
      })
  } as unknown as EventLogRemote.EventLogRemoteClient["Service"]
  const remote = yield* EventLogRemote.makeUnencrypted.pipe(
    Effect.provideService(EventLogRemote.EventLogRemoteClient, client),
    Effect.provide(EventLog.layerRegistry)
  )
  yield* remote.whenAuthenticated(Effect.void).pipe(Effect.provideService(EventLog.Identity, identity))
  return proved!
})

describe("the signing key of an identity", () => {
  it.effect("is the one that effect's own client proves", () =>
    Effect.gen(function* () {
      for (const identity of [makeIdentity(), makeIdentity("other"), yield* generateIdentity]) {
        const key = yield* deriveSigningKey(identity)
        assert.deepStrictEqual(key.publicKey, yield* stockSigningKey(identity))
        assert.strictEqual(key.publicKey.length, EventLogSessionAuth.Ed25519PublicKeyLength)
      }
    })
  )

  it.effect("makes signatures that effect verifies", () =>
    Effect.gen(function* () {
      const key = yield* deriveSigningKey(makeIdentity())
      const payload = yield* EventLogSessionAuth.encodeSessionAuthPayload({
        remoteId,
        challenge: new Uint8Array(32),
        publicKey: "device",
        signingPublicKey: key.publicKey
      })
      const signature = yield* key.sign(payload)
      const check = (signature: Uint8Array) =>
        EventLogSessionAuth.verifySessionAuthPayloadBytes({ payload, signingPublicKey: key.publicKey, signature })
      assert.isTrue(yield* check(signature))
      assert.isFalse(yield* check(signature.map((byte, index) => (index === 0 ? byte ^ 1 : byte))))
    })
  )

  it.effect("can't be derived without crypto.subtle, which an insecure origin lacks, and says so", () =>
    Effect.gen(function* () {
      yield* withGlobals({ crypto: { getRandomValues: globalThis.crypto.getRandomValues.bind(globalThis.crypto) } })
      const identity = yield* generateIdentity
      const error = yield* Effect.flip(deriveSigningKey(identity))
      assert.instanceOf(error, CryptoUnavailable)
      assert.include(error.message, "https")
    })
  )
})
