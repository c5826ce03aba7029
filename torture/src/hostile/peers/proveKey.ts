import { type Claim, makeSigningKey, type Proof, signProof } from "@eventlog-server/testkit/signing"

// The same for every process, since a server binds a device's key to the first signing key that it sees.
const key = makeSigningKey("hostile")

/** A server's challenge, and who sent it. */
export type Challenge = Pick<Claim, "remoteId" | "challenge">

/** Proves a public key with the signing key of all peers. */
export const proveKey = (claim: Omit<Claim, "key">): Proof => signProof({ ...claim, key })
