import { type Claim, makeSigningKey, type Proof, signProof } from "@eventlog-server/testkit/signing"

// The same for every load process, since a server binds a device's key to the first signing key that it sees.
const key = makeSigningKey("bench")

/** What a server binds the keys of all devices to. */
export const { signingPublicKey } = key

/** Proves a public key with the signing key of all devices. */
export const proveKey = (claim: Omit<Claim, "key">): Proof => signProof({ ...claim, key })
