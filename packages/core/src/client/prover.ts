import { Clock, Deferred, Effect, Semaphore } from "effect"
import { type EventLog, EventLogSessionAuth } from "effect/eventlog"
import { backOff, backoffMillis } from "./backoff.ts"
import { type ClientError, ConnectionFailure, type CryptoUnavailable, clientError, RemoteRefusal } from "./errors.ts"
import type { Settings } from "./options.ts"
import { authenticate } from "./requests.ts"
import type { Session } from "./session.ts"
import { makeSigningKeys } from "./signing.ts"
import type { StatusStore } from "./status.ts"

type Identity = EventLog.Identity["Service"]

interface Refused {
  readonly error: ClientError
  readonly times: number
  /** Until then the answer would be the same, and a server counts failed proofs. */
  readonly until: number
}

interface Proofs {
  /** A challenge serves one proof, so keys are proved one after another. */
  readonly turn: Semaphore.Semaphore
  readonly proved: Set<string>
  readonly running: Map<string, Deferred.Deferred<void, ClientError | ConnectionFailure>>
  readonly refused: Map<string, Refused>
}

/** Proves keys to sessions, each key once per session, when it is first used. */
export interface Prover {
  /** Succeeds when the session's requests may name the identity: it is proved, or no proof is wanted. */
  readonly prove: (session: Session, identity: Identity) => Effect.Effect<void, ClientError | ConnectionFailure>
  /** The server says that the key isn't proved: the next request proves it again. */
  readonly forget: (session: Session, publicKey: string) => void
}

/** Makes a {@link Prover}. */
export const makeProver = (settings: Settings, status: StatusStore): Prover => {
  const signingKey = makeSigningKeys()
  const bySession = new WeakMap<Session, Proofs>()

  const proofsOf = (session: Session): Proofs => {
    const known = bySession.get(session)
    if (known !== undefined) return known
    const proofs: Proofs = { turn: Semaphore.makeUnsafe(1), proved: new Set(), running: new Map(), refused: new Map() }
    bySession.set(session, proofs)
    return proofs
  }

  /** Signs the next challenge and sends it. */
  const attempt = Effect.fnUntraced(function* (session: Session, identity: Identity) {
    const key = yield* signingKey(identity)
    const challenge = yield* session.takeChallenge.pipe(
      Effect.timeoutOrElse({ duration: settings.connectTimeout, orElse: () => endWithoutChallenge(session) })
    )
    const payload = yield* Effect.orDie(
      EventLogSessionAuth.encodeSessionAuthPayload({
        remoteId: session.remoteId,
        challenge,
        publicKey: identity.publicKey,
        signingPublicKey: key.publicKey
      })
    )
    const signature = yield* key.sign(payload)
    yield* authenticate(session, {
      _tag: "Authenticate",
      publicKey: identity.publicKey,
      signingPublicKey: key.publicKey,
      signature,
      algorithm: "Ed25519"
    }).pipe(
      // A server that is too busy to look at a proof sends no new challenge, since the old one still stands.
      Effect.tapError((error) =>
        Effect.sync(() => {
          if (error._tag === "RemoteRefusal" && error.retryable) session.returnChallenge(challenge)
        })
      )
    )
  })

  /** Attempts until the server has decided. */
  const decide = Effect.fnUntraced(function* (
    session: Session,
    identity: Identity
  ): Effect.fn.Return<void, RemoteRefusal | CryptoUnavailable | ConnectionFailure> {
    let badProofs = 0
    for (let attempts = 1; ; attempts++) {
      const refusal = yield* attempt(session, identity).pipe(
        Effect.as(undefined),
        Effect.catchTag("RemoteRefusal", (refusal) => Effect.succeed(refusal))
      )
      if (refusal === undefined) return
      // A challenge expires, and one that lay here since the connection began may have: a second one is fresh.
      if (refusal.reason === "BadProof" && ++badProofs === 1) continue
      if (!refusal.retryable) return yield* refusal
      status.failed(clientError("authenticate", refusal))
      yield* backOff(settings, attempts)
    }
  })

  const proveNow = Effect.fnUntraced(function* (
    session: Session,
    identity: Identity
  ): Effect.fn.Return<void, ClientError | ConnectionFailure> {
    const { proved, refused } = proofsOf(session)
    const { publicKey } = identity
    const before = refused.get(publicKey)
    const now = yield* Clock.currentTimeMillis
    if (before !== undefined && now < before.until) return yield* before.error
    yield* decide(session, identity).pipe(
      Effect.catchTag(["RemoteRefusal", "CryptoUnavailable"], (cause) =>
        Effect.gen(function* () {
          const error = clientError("authenticate", cause)
          const times = (before?.times ?? 0) + 1
          const wait = yield* backoffMillis({ ...settings, backoffMinimum: 4 * settings.backoffMinimum }, times)
          if (cause instanceof RemoteRefusal) refused.set(publicKey, { error, times, until: now + wait })
          status.failed(error)
          return yield* error
        })
      )
    )
    proved.add(publicKey)
    refused.delete(publicKey)
    status.succeeded("authenticate")
  })

  /** A proof in a fiber of its own: a caller that is interrupted would take a challenge along, unused. */
  const start = (session: Session, identity: Identity): Effect.Effect<void, ClientError | ConnectionFailure> =>
    Effect.uninterruptibleMask((restore) => {
      const { running, turn } = proofsOf(session)
      const done = Deferred.makeUnsafe<void, ClientError | ConnectionFailure>()
      running.set(identity.publicKey, done)
      return Effect.raceFirst(turn.withPermit(proveNow(session, identity)), Deferred.await(session.ended)).pipe(
        Effect.ensuring(Effect.sync(() => running.delete(identity.publicKey))),
        Deferred.into(done),
        Effect.forkDetach,
        Effect.andThen(restore(Deferred.await(done)))
      )
    })

  return {
    prove: (session, identity) =>
      Effect.suspend(() => {
        if (settings.sessionAuth === "off" || !session.wantsProof) return Effect.void
        const { proved, running } = proofsOf(session)
        if (proved.has(identity.publicKey)) return Effect.void
        const under = running.get(identity.publicKey)
        return under === undefined ? start(session, identity) : Deferred.await(under)
      }),
    forget: (session, publicKey) => {
      proofsOf(session).proved.delete(publicKey)
    }
  }
}

const endWithoutChallenge = (session: Session): Effect.Effect<never, ConnectionFailure> =>
  Effect.suspend(() => {
    const failure = new ConnectionFailure({ reason: "Timeout", message: "The server sent no new challenge" })
    session.end(failure)
    return Effect.fail(failure)
  })
