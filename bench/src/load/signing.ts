import { createPrivateKey, createPublicKey, sign } from "node:crypto"
import { Effect } from "effect"
import { type EventJournal, EventLogSessionAuth } from "effect/eventlog"

// The same for every load process, since a server binds a device's key to the first signing key that it sees.
const seed = Buffer.alloc(32, "bench")
/** What stands before a seed in the PKCS#8 encoding of an Ed25519 key (RFC 8410). */
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex")
const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: "der", type: "pkcs8" })

/** The signing key of all devices, 32 bytes. */
export const signingPublicKey = new Uint8Array(
  createPublicKey(privateKey).export({ type: "spki", format: "der" }).subarray(-32)
)

/** Signs a server's challenge for a public key. Ours and effect's servers want the same bytes signed. */
export const signChallenge = (
  remoteId: EventJournal.RemoteId,
  challenge: Uint8Array<ArrayBuffer>,
  publicKey: string
): Uint8Array<ArrayBuffer> => {
  const payload = Effect.runSync(
    EventLogSessionAuth.encodeSessionAuthPayload({ remoteId, challenge, publicKey, signingPublicKey })
  )
  return new Uint8Array(sign(null, payload, privateKey))
}
