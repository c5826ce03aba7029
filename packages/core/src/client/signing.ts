import { Effect, Redacted } from "effect"
import type { EventLog } from "effect/eventlog"
import { CryptoUnavailable } from "./errors.ts"

/** The Ed25519 key that an identity signs with. */
export interface SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>
  /** Answers 64 bytes. */
  readonly sign: (payload: Uint8Array) => Effect.Effect<Uint8Array, CryptoUnavailable>
}

const label = new TextEncoder().encode("effect/eventlog/identity/v1/signing")
/** What stands before a 32-byte seed in the PKCS#8 encoding of an Ed25519 key (RFC 8410). */
const pkcs8Prefix = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20)

const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}

const fromBase64Url = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0))

const withCrypto = <A>(use: (subtle: SubtleCrypto) => Promise<A>): Effect.Effect<A, CryptoUnavailable> =>
  Effect.suspend(() => {
    const subtle = globalThis.crypto?.subtle
    if (subtle === undefined) {
      return Effect.fail(
        new CryptoUnavailable({ message: "crypto.subtle is missing: open the page over https, or from localhost" })
      )
    }
    return Effect.tryPromise({
      try: () => use(subtle),
      catch: (cause) => new CryptoUnavailable({ message: "Ed25519 is not available here", cause })
    })
  })

/**
 * Derives the signing key of an identity. It is the one that effect's own clients derive, so a device keeps its key
 * when it changes protocols: the seed is SHA-256 of a label, a zero byte and the identity's private key.
 */
export const deriveSigningKey = (
  identity: EventLog.Identity["Service"]
): Effect.Effect<SigningKey, CryptoUnavailable> =>
  withCrypto(async (subtle) => {
    const root = Redacted.value(identity.privateKey)
    const seed = new Uint8Array(await subtle.digest("SHA-256", concat(label, Uint8Array.of(0), root)))
    const key = await subtle.importKey("pkcs8", concat(pkcs8Prefix, seed), "Ed25519", true, ["sign"])
    const { x } = await subtle.exportKey("jwk", key)
    return {
      publicKey: fromBase64Url(x!),
      sign: (payload) =>
        withCrypto(async (subtle) => new Uint8Array(await subtle.sign("Ed25519", key, concat(payload))))
    }
  })

/** {@link deriveSigningKey}, done once for each identity value. */
export const makeSigningKeys = (): typeof deriveSigningKey => {
  const known = new WeakMap<EventLog.Identity["Service"], SigningKey>()
  return (identity) =>
    Effect.suspend(() => {
      const key = known.get(identity)
      if (key !== undefined) return Effect.succeed(key)
      return Effect.tap(deriveSigningKey(identity), (key) => Effect.sync(() => known.set(identity, key)))
    })
}
