import { Effect } from "effect"
import { type EventJournal, EventLogSessionAuth } from "effect/eventlog"
import type { IdentityClaim } from "../backend/EventLogServerAuth.ts"
import { RequestError } from "../wire/errors.ts"
import { isSigned } from "./signature.ts"

/** How long a challenge may be answered. A connection that waited longer is sent a new one. */
export const challengeMillis = 5 * 60 * 1000

/** What a peer shows to prove that it holds a key. */
export interface Proof extends IdentityClaim {
  readonly signature: Uint8Array
  readonly algorithm: string
}

/** The challenge of one connection: random bytes that a peer signs to prove a key. One answer uses them up. */
export class Challenge {
  readonly #remoteId: EventJournal.RemoteId
  #bytes: Uint8Array | undefined
  #expiresAt = 0

  /** @param remoteId the server's id, which every proof is made for */
  constructor(remoteId: EventJournal.RemoteId) {
    this.#remoteId = remoteId
  }

  /** Whether it waits for an answer; it may have expired. */
  get isOpen(): boolean {
    return this.#bytes !== undefined
  }

  /** The bytes in force, if there are any. */
  current(now: number): Uint8Array | undefined {
    return now < this.#expiresAt ? this.#bytes : undefined
  }

  /** Fresh bytes, in place of those before: at once, when it is called. */
  issue(now: number): Effect.Effect<Uint8Array> {
    this.#bytes = crypto.getRandomValues(new Uint8Array(EventLogSessionAuth.SessionAuthChallengeLength))
    this.#expiresAt = now + challengeMillis
    return Effect.succeed(this.#bytes)
  }

  /** Verifies an answer, which uses the challenge up, right or wrong. Fails with `BadProof`. */
  verify({ algorithm, publicKey, signature, signingPublicKey }: Proof, now: number): Effect.Effect<void, RequestError> {
    return Effect.suspend(() => {
      const challenge = this.current(now)
      this.#bytes = undefined
      if (challenge === undefined) return badProof("There is no challenge in force; answer the new one")
      return Effect.flatMap(
        isSigned({ remoteId: this.#remoteId, challenge, publicKey, signingPublicKey, signature, algorithm }),
        (isRight) => (isRight ? Effect.void : badProof("The signature does not verify"))
      )
    })
  }
}

const badProof = (message: string) => Effect.fail(new RequestError({ reason: "BadProof", message }))
