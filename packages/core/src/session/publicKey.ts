import { RequestError } from "../protocol/errors.ts"
import type { Limits } from "../protocol/limits.ts"

const encoder = new TextEncoder()

/**
 * Refuses a public key that no registry has to be able to hold: an empty one, one of more than `maxPublicKeyBytes` bytes in
 * UTF-8, or one with U+0000 or a lone surrogate.
 */
export const checkPublicKey = (
  publicKey: string,
  limits: Pick<Limits, "maxPublicKeyBytes">
): RequestError | undefined => {
  if (publicKey === "" || publicKey.includes("\u0000") || !publicKey.isWellFormed()) {
    return new RequestError({
      reason: "Malformed",
      message: "A public key may not be empty, nor hold U+0000 or a lone surrogate"
    })
  }
  // The first test spares the second one the work that a huge key would make.
  const { maxPublicKeyBytes } = limits
  return publicKey.length > maxPublicKeyBytes || encoder.encode(publicKey).byteLength > maxPublicKeyBytes
    ? new RequestError({ reason: "Limit", message: `A public key may have ${maxPublicKeyBytes} bytes` })
    : undefined
}
