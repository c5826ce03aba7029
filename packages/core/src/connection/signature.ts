import { Effect } from "effect"
import { EventLogSessionAuth } from "effect/eventlog"

/** What was signed, by which key, and the signature of it. */
export type Signed = Parameters<typeof EventLogSessionAuth.verifySessionAuthenticateRequest>[0]

const algorithm = { name: "Ed25519" }

/** What WebCrypto takes. Nobody gives it shared memory. */
type Bytes = Uint8Array<ArrayBuffer>

const check = async (payload: Bytes, { signature, signingPublicKey }: Signed): Promise<boolean> => {
  const key = await crypto.subtle.importKey("raw", signingPublicKey as Bytes, algorithm, false, ["verify"])
  return crypto.subtle.verify(algorithm, key, signature as Bytes, payload)
}

/**
 * Whether a signature verifies; `false` for what is none, and where the runtime has no Ed25519. The runtime verifies beside
 * the event loop.
 *
 * effect has the same as `EventLogSessionAuth.verifySessionAuthenticateRequest`, which reads the payload back that it made,
 * and builds layers each time: twice the CPU of the signature itself, in a crowd of devices that all come back.
 */
export const isSigned = (signed: Signed): Effect.Effect<boolean> =>
  signed.algorithm !== algorithm.name || signed.signature.byteLength !== EventLogSessionAuth.Ed25519SignatureLength
    ? Effect.succeed(false)
    : EventLogSessionAuth.encodeSessionAuthPayload(signed).pipe(
        Effect.flatMap((payload) => Effect.tryPromise(() => check(payload, signed))),
        Effect.catch(() => Effect.succeed(false))
      )
