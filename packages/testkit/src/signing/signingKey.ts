import { createPrivateKey, createPublicKey, randomBytes, sign } from "node:crypto"

/** What stands before a seed in the PKCS#8 encoding of an Ed25519 key (RFC 8410). */
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex")

/** An Ed25519 key pair. */
export interface SigningKey {
  /** 32 bytes. */
  readonly signingPublicKey: Uint8Array<ArrayBuffer>
  readonly sign: (payload: Uint8Array) => Uint8Array<ArrayBuffer>
}

/** Makes a key pair. @param seed the same seed gives the same keys, in every process @default random */
export const makeSigningKey = (seed?: string): SigningKey => {
  const bytes = seed === undefined ? randomBytes(32) : Buffer.alloc(32, seed)
  const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, bytes]), format: "der", type: "pkcs8" })
  const encoded = createPublicKey(privateKey).export({ type: "spki", format: "der" })
  return {
    signingPublicKey: Uint8Array.from(encoded.subarray(-32)),
    sign: (payload) => Uint8Array.from(sign(null, payload, privateKey))
  }
}
