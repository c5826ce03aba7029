import { Effect } from "effect"
import { type EventJournal, EventLogSessionAuth } from "effect/eventlog"
import type { IdentityClaim } from "../backend/EventLogServerAuth.ts"
import { RequestError } from "../wire/errors.ts"
import type { Limits } from "../wire/limits.ts"
import type { Authenticate } from "../wire/messages.ts"
import { type Access, type AccessError, bytesEqual, isOutage } from "./access.ts"

/** How long a challenge may be answered. A connection that waited longer is sent a new one. */
export const challengeMillis = 5 * 60 * 1000

interface Challenge {
  readonly bytes: Uint8Array
  readonly expiresAt: number
}

/**
 * The keys that one connection proved to hold. A public key in a message is only a claim: every request must name a key
 * that is in here.
 */
export class Proofs {
  private readonly claims = new Map<string, IdentityClaim>()
  private challenge: Challenge | undefined
  private failures = 0
  /** The server's id, which every proof is made for. */
  readonly remoteId: EventJournal.RemoteId
  private readonly access: Access["Service"]
  private readonly limits: Limits

  constructor(remoteId: EventJournal.RemoteId, access: Access["Service"], limits: Limits) {
    this.remoteId = remoteId
    this.access = access
    this.limits = limits
  }

  /** The claim that a public key was proved with, if it was. */
  get(publicKey: string): IdentityClaim | undefined {
    return this.claims.get(publicKey)
  }

  get size(): number {
    return this.claims.size
  }

  /** The claims as they are now. */
  all(): ReadonlyArray<IdentityClaim> {
    return [...this.claims.values()]
  }

  /** Whether a challenge waits for an answer; it may have expired. */
  get hasChallenge(): boolean {
    return this.challenge !== undefined
  }

  /** Whether so many proofs failed that the peer must be guessing. */
  get isExhausted(): boolean {
    return this.failures >= this.limits.maxFailedProofs
  }

  /** Forgets a proved key: its binding changed, or its access ended. */
  revoke(publicKey: string): void {
    this.claims.delete(publicKey)
  }

  /** A fresh challenge, in place of the one before. */
  issue(now: number): Effect.Effect<Uint8Array> {
    return Effect.map(Effect.orDie(EventLogSessionAuth.makeSessionAuthChallenge), (bytes) => {
      this.challenge = { bytes, expiresAt: now + challengeMillis }
      return bytes
    })
  }

  /** The challenge in force, if there is one. */
  current(now: number): Uint8Array | undefined {
    return this.challenge !== undefined && now < this.challenge.expiresAt ? this.challenge.bytes : undefined
  }

  /** Verifies an answer to the challenge, which is used up by it. */
  verify(request: Omit<typeof Authenticate.Type, "_tag">, now: number): Effect.Effect<IdentityClaim, RequestError> {
    return Effect.gen({ self: this }, function* () {
      const challenge = this.take(now)
      if (challenge === undefined) return yield* this.fail("There is no challenge in force; answer the new one")
      if (!this.claims.has(request.publicKey) && this.claims.size >= this.limits.maxKeys) {
        return yield* new RequestError({
          reason: "Limit",
          message: `A connection may prove ${this.limits.maxKeys} keys`
        })
      }
      if (!(yield* this.isSigned(request, challenge))) return yield* this.fail("The signature does not verify")
      return { publicKey: request.publicKey, signingPublicKey: request.signingPublicKey }
    })
  }

  /** Accepts a key that was verified, if it may be used here. */
  accept(claim: IdentityClaim): Effect.Effect<void, AccessError> {
    return Effect.gen({ self: this }, function* () {
      const known = this.claims.get(claim.publicKey)
      if (known !== undefined && bytesEqual(known.signingPublicKey, claim.signingPublicKey)) return
      yield* this.access.prove(claim).pipe(Effect.tapError((error) => Effect.sync(() => this.count(error))))
      this.claims.set(claim.publicKey, claim)
    })
  }

  private take(now: number): Uint8Array | undefined {
    const challenge = this.current(now)
    this.challenge = undefined
    return challenge
  }

  private isSigned(request: Omit<typeof Authenticate.Type, "_tag">, challenge: Uint8Array): Effect.Effect<boolean> {
    return EventLogSessionAuth.verifySessionAuthenticateRequest({
      remoteId: this.remoteId,
      challenge,
      publicKey: request.publicKey,
      signingPublicKey: request.signingPublicKey,
      signature: request.signature,
      algorithm: request.algorithm
    }).pipe(Effect.catch(() => Effect.succeed(false)))
  }

  /** An outage is no sign of a peer that guesses. */
  private count(error: AccessError): void {
    if (!isOutage(error)) this.failures++
  }

  private fail(message: string): Effect.Effect<never, RequestError> {
    return Effect.suspend(() => {
      this.failures++
      return Effect.fail(new RequestError({ reason: "BadProof", message }))
    })
  }
}
