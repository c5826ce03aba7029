import { RequestError } from "../wire/errors.ts"
import { exceedsBytes, isStorable } from "../wire/fields.ts"
import type { Limits } from "../wire/limits.ts"

/**
 * Refuses a public key that no registry has to be able to hold: an empty one, one of more than `maxPublicKeyBytes` bytes in
 * UTF-8, or one with U+0000 or a lone surrogate.
 */
export const checkPublicKey = (
  publicKey: string,
  limits: Pick<Limits, "maxPublicKeyBytes">
): RequestError | undefined => {
  if (publicKey === "" || !isStorable(publicKey)) {
    return new RequestError({
      reason: "Malformed",
      message: "A public key may not be empty, nor hold U+0000 or a lone surrogate"
    })
  }
  const { maxPublicKeyBytes } = limits
  return exceedsBytes(publicKey, maxPublicKeyBytes)
    ? new RequestError({ reason: "Limit", message: `A public key may have ${maxPublicKeyBytes} bytes` })
    : undefined
}
