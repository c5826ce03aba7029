import { Effect } from "effect"
import { type EventJournal, EventLogSessionAuth } from "effect/eventlog"
import type { SigningKey } from "./signingKey.ts"

/** A server's challenge, who sent it, and the key to be proved. */
export interface Claim {
  readonly remoteId: EventJournal.RemoteId
  readonly challenge: Uint8Array
  readonly publicKey: string
  readonly key: SigningKey
}

/** What a device says to a challenge, as a request of eventlog.v1. */
export interface Proof {
  readonly _tag: "Authenticate"
  readonly publicKey: string
  readonly signingPublicKey: Uint8Array<ArrayBuffer>
  readonly signature: Uint8Array<ArrayBuffer>
  readonly algorithm: "Ed25519"
}

/** Proves a public key. Both protocols want the same bytes signed. */
export const signProof = ({ key, ...claim }: Claim): Proof => {
  const { signingPublicKey } = key
  const payload = Effect.runSync(EventLogSessionAuth.encodeSessionAuthPayload({ ...claim, signingPublicKey }))
  const signature = key.sign(payload)
  return { _tag: "Authenticate", publicKey: claim.publicKey, signingPublicKey, signature, algorithm: "Ed25519" }
}
