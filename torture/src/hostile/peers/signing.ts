import { createPrivateKey, createPublicKey, sign } from "node:crypto"
import { Effect } from "effect"
import { type EventJournal, EventLogSessionAuth } from "effect/eventlog"

// The same for every process, since a server binds a device's key to the first signing key that it sees.
const seed = Buffer.alloc(32, "hostile")
/** What stands before a seed in the PKCS#8 encoding of an Ed25519 key (RFC 8410). */
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex")
const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: "der", type: "pkcs8" })

/** The signing key of all peers, 32 bytes. */
const signingPublicKey = new Uint8Array(
  createPublicKey(privateKey).export({ type: "spki", format: "der" }).subarray(-32)
)

/** A server's challenge, and who sent it. */
export interface Challenge {
  readonly remoteId: EventJournal.RemoteId
  readonly challenge: Uint8Array
}

/** What a peer says to a challenge. */
export interface Proof {
  readonly publicKey: string
  readonly signingPublicKey: Uint8Array<ArrayBuffer>
  readonly signature: Uint8Array<ArrayBuffer>
  readonly algorithm: "Ed25519"
}

/** Proves a public key. Both protocols want the same bytes signed. */
export const proveKey = ({ challenge, remoteId }: Challenge, publicKey: string): Proof => {
  const claim = { remoteId, challenge, publicKey, signingPublicKey }
  const payload = Effect.runSync(EventLogSessionAuth.encodeSessionAuthPayload(claim))
  return {
    publicKey,
    signingPublicKey,
    signature: new Uint8Array(sign(null, payload, privateKey)),
    algorithm: "Ed25519"
  }
}
