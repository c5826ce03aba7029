import { Effect } from "effect"
import { EventLogSessionAuth } from "effect/eventlog"
import type { Device, Response } from "./device.ts"

/** An Ed25519 key pair. */
export interface SigningKey {
  readonly signingPublicKey: Uint8Array
  /** PKCS #8. */
  readonly signingPrivateKey: Uint8Array
}

/** A key pair that nobody else has. */
export const makeSigningKey: Effect.Effect<SigningKey> = Effect.promise(async () => {
  const { privateKey, publicKey } = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])
  return {
    signingPublicKey: new Uint8Array(await crypto.subtle.exportKey("raw", publicKey)),
    signingPrivateKey: new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey))
  }
})

/** Answers the challenge of `Hello` for the device's key, and answers what the server says to it. */
export const prove = Effect.fnUntraced(function* (
  device: Device,
  key: SigningKey
): Effect.fn.Return<
  Response<"Authenticated"> | Response<"Error">,
  Error | EventLogSessionAuth.EventLogSessionAuthError
> {
  const { challenge, remoteId } = yield* device.next("Hello")
  if (challenge === undefined) return yield* Effect.fail(new Error("The server asks for no proof"))
  const { publicKey } = device
  const { signingPublicKey } = key
  const signature = yield* EventLogSessionAuth.signSessionAuthPayload({ ...key, remoteId, challenge, publicKey })
  device.send({ _tag: "Authenticate", publicKey, signingPublicKey, signature, algorithm: "Ed25519" })
  return yield* Effect.raceFirst(device.next("Authenticated"), device.next("Error"))
})
